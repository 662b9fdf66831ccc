"""The libraries of people's code, without types."""
