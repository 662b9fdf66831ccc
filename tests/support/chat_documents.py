"""What the tests of documents in chats read from events."""

from typing import Any


def kinds(events: list[Any]) -> list[str]:
    return [event.event for event in events]


def cited(events: list[Any]) -> list[str]:
    return [event.data["text"] for event in events if event.event == "citation"]
