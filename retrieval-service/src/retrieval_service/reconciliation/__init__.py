"""Compares files, passages, vectors and objects, and heals what does not agree."""
