"""Chats: the list a person sees, names, archive, deletion."""
