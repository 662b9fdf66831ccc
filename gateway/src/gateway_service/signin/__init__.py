"""Sign-up, sign-in and passwords."""
