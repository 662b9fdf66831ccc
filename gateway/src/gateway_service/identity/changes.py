"""Identity changes leave in two ways: at once to every gateway process (NOTIFY), and durably to other
services (outbox).
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from shared.access import AccessTopic
from shared.clock import utc_now
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.identity.memory import IdentityMemory
from shared import outbox

CHANNEL = "gateway_identity"


def user_subject(user_id: UUID) -> str:
    return f"user:{user_id}"


def session_subject(session_id: UUID) -> str:
    return f"session:{session_id}"


def key_subject(key_id: UUID) -> str:
    return f"key:{key_id}"


class IdentityChanges:
    """Announces changes in the transaction that makes them.

    Right after the commit `ended` is told a subject that may no longer be served, with the topic that says
    why if there is one, and `published` that the outbox holds something.
    """

    def __init__(self, memory: IdentityMemory) -> None:
        self._memory = memory
        self.ended: Callable[[str, AccessTopic | None], None] = lambda _subject, _topic: None
        self.published: Callable[[], None] = lambda: None

    async def forget(self, db: AsyncSession, subject: str) -> None:
        """When this transaction commits, every gateway process drops what it remembers of `subject`; this one
        before the answer leaves.
        """
        _after_commit(db, lambda: self._memory.drop(subject))
        await db.execute(
            text("SELECT pg_notify(:channel, :subject)"), {"channel": CHANNEL, "subject": subject}
        )

    async def end(self, db: AsyncSession, subject: str, topic: AccessTopic | None = None) -> None:
        """forget(), and what this process is answering for `subject` ends."""
        await self.forget(db, subject)
        _after_commit(db, lambda: self.ended(subject, topic))

    async def publish(
        self, db: AsyncSession, topic: AccessTopic, *, subject: str, payload: Mapping[str, Any]
    ) -> None:
        """end(), or forget() when only the role changed; in the same transaction an outbox event keyed by
        `subject`.
        """
        if topic is AccessTopic.ROLE_CHANGED:
            await self.forget(db, subject)
        else:
            await self.end(db, subject, topic)
        await outbox.append(
            db, topic=topic.value, key=subject, payload={**payload, "at": utc_now().isoformat()}
        )
        _after_commit(db, self.published)


def _after_commit(db: AsyncSession, call: Callable[[], None]) -> None:
    def committed(_session: object) -> None:
        call()

    event.listen(db.sync_session, "after_commit", committed, once=True)
