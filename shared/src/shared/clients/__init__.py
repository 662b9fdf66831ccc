"""Typed clients, one per service."""
