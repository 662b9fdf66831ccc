"""Libraries without types, and those that may be missing."""
