"""Sessions: access tokens, rotating refresh tokens, the keys that verify them."""
