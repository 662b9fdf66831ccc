"""Request quotas of the proxied routes."""
