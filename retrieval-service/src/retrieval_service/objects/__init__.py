"""The object store: bytes by key."""
