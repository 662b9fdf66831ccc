"""Who may no longer run anything: what the gateway announces, and the one way a service hears it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from shared.auth.principal import Principal
from shared.subscriber import Handler, Subscriber

ACCESS_CHANNEL = "atrium_access"
_OLD_TOKENS_S = 600.0
"""So long after a loss of access somebody may begin something with a token of before, which lives five
minutes: it is ended as well.
"""


class AccessTopic(StrEnum):
    """Topics of the gateway's outbox that end work."""

    SUSPENDED = "account.suspended"
    DELETED = "account.deleted"
    ROLE_CHANGED = "account.role_changed"
    KEY_REVOKED = "key.revoked"


class EndReason(StrEnum):
    """Why somebody's work was ended; the `code` that its owner is shown."""

    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_DELETED = "account_deleted"
    ROLE_CHANGED = "role_changed"
    KEY_REVOKED = "key_revoked"


DETAILS: Mapping[EndReason, str] = {
    EndReason.ACCOUNT_SUSPENDED: (
        "the account was suspended, so this was ended; an administrator can activate it again"
    ),
    EndReason.ACCOUNT_DELETED: "the account was deleted, so this was ended",
    EndReason.ROLE_CHANGED: (
        "the role no longer permits this, so it was ended; ask an administrator for a role that does"
    ),
    EndReason.KEY_REVOKED: "the API key was revoked, so what ran under it was ended; use another key",
}
_REASONS: Mapping[AccessTopic, EndReason] = {
    AccessTopic.SUSPENDED: EndReason.ACCOUNT_SUSPENDED,
    AccessTopic.DELETED: EndReason.ACCOUNT_DELETED,
    AccessTopic.ROLE_CHANGED: EndReason.ROLE_CHANGED,
    AccessTopic.KEY_REVOKED: EndReason.KEY_REVOKED,
}


def reason_of(topic: AccessTopic) -> EndReason:
    """Why work ends that is ended by `topic`."""
    return _REASONS[topic]


@dataclass(frozen=True, slots=True)
class AccessEnd:
    """One person (`user_id`) or one key (`key_id`) that lost access. `role` is the new role when that is the
    reason.
    """

    reason: EndReason
    user_id: UUID | None = None
    key_id: UUID | None = None
    role: Role | None = None

    @property
    def detail(self) -> str:
        """The sentence for the owner."""
        return DETAILS[self.reason]

    def ends(self, permission: Permission) -> bool:
        """Whether work that needs `permission` ends: a new role may still permit it."""
        return self.role is None or permission not in ROLE_PERMISSIONS[self.role]

    def covers(self, principal: Principal, permission: Permission) -> bool:
        """Whether work that runs for `principal` and needs `permission` must end."""
        named = (
            principal.key_id == self.key_id if self.key_id is not None else principal.user_id == self.user_id
        )
        return named and self.ends(permission)


EndWork = Callable[[AccessEnd], Awaitable[None]]


def access_subscriber(url: str, *, service: str, end_work: EndWork) -> Subscriber:
    """Calls `end_work` for everybody who loses access; it ends what this process, or this service, runs for
    them and bears repetition.
    """
    handlers = {topic.value: _handler(topic, end_work) for topic in AccessTopic}
    return Subscriber(
        url, name=service, channel=ACCESS_CHANNEL, handlers=handlers, repeat_for_s=_OLD_TOKENS_S
    )


def _handler(topic: AccessTopic, end_work: EndWork) -> Handler:
    async def handle(payload: Mapping[str, Any]) -> None:
        await end_work(_access_end(topic, payload))

    return handle


def _access_end(topic: AccessTopic, payload: Mapping[str, Any]) -> AccessEnd:
    reason = _REASONS[topic]
    if topic is AccessTopic.KEY_REVOKED:
        return AccessEnd(reason, key_id=UUID(payload["key_id"]))
    role = Role(payload["role"]) if topic is AccessTopic.ROLE_CHANGED else None
    return AccessEnd(reason, user_id=UUID(payload["user_id"]), role=role)
