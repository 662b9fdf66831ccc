"""Connections to port 8000: how many, from where, and how long each may take to say something."""
