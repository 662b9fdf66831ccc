"""API keys: shown once, hashed at rest, never wider than their creator."""
