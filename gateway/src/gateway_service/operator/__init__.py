"""What an operator does at the command line, without being signed in."""
