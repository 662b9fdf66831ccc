"""Embeddings: by providers, and by the built-in model in a worker process of its own."""
