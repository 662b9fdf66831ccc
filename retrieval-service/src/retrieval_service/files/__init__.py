"""Files: what people uploaded, who may see it, and how far its ingestion is."""
