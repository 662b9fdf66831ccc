"""Identity changes leave in two ways: at once to every gateway process (NOTIFY), and durably to other services (outbox)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.identity.memory import IdentityMemory
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


class IdentityChanges:
    """Announces changes in the transaction that makes them."""

    def __init__(self, memory: IdentityMemory) -> None:
        self._memory = memory

    async def forget(self, db: AsyncSession, subject: str) -> None:
        """When this transaction commits, every gateway process drops what it remembers of `subject`; this one before the answer leaves."""

        def drop(_session: object) -> None:
            self._memory.drop(subject)

        event.listen(db.sync_session, "after_commit", drop, once=True)
        await db.execute(text("SELECT pg_notify(:channel, :subject)"), {"channel": CHANNEL, "subject": subject})

    async def publish(self, db: AsyncSession, topic: Topic, *, subject: str, payload: Mapping[str, Any]) -> None:
        """forget() and, in the same transaction, an outbox event keyed by `subject`."""
        await self.forget(db, subject)
        await outbox.append(db, topic=topic.value, key=subject, payload=dict(payload))
