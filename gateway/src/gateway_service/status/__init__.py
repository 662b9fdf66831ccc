"""The state of the whole installation and its one OpenAPI document."""
