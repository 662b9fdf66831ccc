"""Identity changes leave in two ways: at once to every gateway process (NOTIFY), and durably to other services (outbox)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import outbox

CHANNEL = "gateway_identity"


class Topic(StrEnum):
    """Names other services subscribe to."""

    USER_CREATED = "identity.user.created"
    USER_ROLE_CHANGED = "identity.user.role_changed"
    USER_STATUS_CHANGED = "identity.user.status_changed"
    KEY_REVOKED = "identity.key.revoked"


def user_subject(user_id: UUID) -> str:
    return f"user:{user_id}"


def session_subject(session_id: UUID) -> str:
    return f"session:{session_id}"


def key_subject(key_id: UUID) -> str:
    return f"key:{key_id}"


async def forget(db: AsyncSession, subject: str) -> None:
    """When this transaction commits, every gateway process drops what it remembers of `subject`."""
    await db.execute(text("SELECT pg_notify(:channel, :subject)"), {"channel": CHANNEL, "subject": subject})


async def publish(db: AsyncSession, topic: Topic, *, subject: str, payload: Mapping[str, Any]) -> None:
    """forget() and, in the same transaction, an outbox event keyed by `subject`."""
    await forget(db, subject)
    await outbox.append(db, topic=topic.value, key=subject, payload=dict(payload))
