"""Search in documents: by meaning, by words, or both."""
