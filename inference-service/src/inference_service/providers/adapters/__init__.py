"""One class per kind of provider."""
