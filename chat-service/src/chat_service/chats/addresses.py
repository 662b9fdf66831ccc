"""Ids of chats in paths: a known name of what is not offered is no malformed id."""

from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator

from chat_service.chats.errors import NotOffered

NOT_OFFERED = frozenset(
    {
        "search", "folders", "tags", "prompts", "preferences", "notes", "memories", "notifications",
        "requests", "trash",
        "import", "export", "shared",
    }
)  # fmt: skip
"""Names beside chat ids that clients of such platforms ask for."""


def _no_name(segment: object) -> object:
    if isinstance(segment, str) and segment in NOT_OFFERED:
        raise NotOffered(segment)
    return segment


ChatId = Annotated[UUID, BeforeValidator(_no_name)]
