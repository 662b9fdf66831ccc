"""From an uploaded file to searchable passages, as a durable workflow."""
