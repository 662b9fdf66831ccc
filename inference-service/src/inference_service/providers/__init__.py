"""Where models come from: one adapter per kind of server, and what each of them serves now."""
