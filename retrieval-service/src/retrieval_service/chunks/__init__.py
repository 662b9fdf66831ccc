"""Passages of documents: how text is cut, where they are kept, and what a citation opens."""
