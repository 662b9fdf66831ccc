"""The official SDK and what it talks through; imported when the first server is connected."""
