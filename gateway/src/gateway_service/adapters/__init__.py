"""What meets libraries from below their documented surface."""
