"""Who the caller is, as this service sees it."""
