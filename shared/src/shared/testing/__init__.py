"""What tests of several services need."""
