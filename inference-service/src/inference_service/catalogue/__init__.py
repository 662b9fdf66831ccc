"""The models clients can name."""
