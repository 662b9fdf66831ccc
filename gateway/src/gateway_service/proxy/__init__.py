"""The reverse proxy: the outer ASGI callable that hands each path prefix to its service."""
