"""What ends by age in this service."""
