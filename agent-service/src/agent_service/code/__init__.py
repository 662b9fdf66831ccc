"""Code that people and models run: a sandbox of warm, confined Python processes."""
