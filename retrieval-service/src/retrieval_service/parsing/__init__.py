"""Text of documents, read in a process of its own that may not take more than its share."""
