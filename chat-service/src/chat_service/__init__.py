"""Chats, the message tree and the turns that write replies."""
