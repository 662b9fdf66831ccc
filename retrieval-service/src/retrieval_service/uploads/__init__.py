"""Resumable uploads: a file in chunks, each of them durable before it counts."""
