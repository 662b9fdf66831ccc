"""Alembic's entry: the schema of the chat-service."""

from shared.migrations import run

run("chat")
