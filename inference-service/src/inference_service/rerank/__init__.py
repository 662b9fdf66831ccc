"""Passages by how well they answer a question: POST /v1/rerank."""
