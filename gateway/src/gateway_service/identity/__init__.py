"""Who sends a request: credential -> principal and the token the services see."""
