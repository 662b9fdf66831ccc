"""The built web client and its Content-Security-Policy."""
