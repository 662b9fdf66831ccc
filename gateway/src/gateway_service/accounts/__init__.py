"""People: sign-up, sign-in, passwords, organisations and teams."""
