"""Turns whose process died."""
