"""Turns: replies owned by the server, from the posted message to the folded text."""
