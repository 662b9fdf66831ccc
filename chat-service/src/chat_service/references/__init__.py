"""Ids of other services' objects in bodies: files, knowledge bases and agents, authorised as the caller."""
