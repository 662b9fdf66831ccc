"""Ends what the gateway is passing on for a person, key or session that may no longer be served."""

from collections.abc import Callable

from shared.access import DETAILS, AccessEnd, AccessTopic, EndReason, reason_of
from shared.auth.permissions import Permission
from shared.errors import AppError, Forbidden, Unauthenticated

from gateway_service.identity.changes import key_subject, session_subject, user_subject
from gateway_service.identity.ports import Identity

EndCalls = Callable[[Callable[[Identity], bool], AppError], None]

_SESSION_ENDED = "this session was ended; sign in"


class Endings:
    """`end_calls` is the proxy's."""

    def __init__(self, end_calls: EndCalls) -> None:
        self._end_calls = end_calls

    def of_subject(self, subject: str, topic: AccessTopic | None) -> None:
        """This process has just committed the end of `subject`; `topic` None: of a session."""
        self._end_calls(
            lambda identity: subject in _subjects(identity),
            _shown(None if topic is None else reason_of(topic)),
        )

    async def of_access(self, end: AccessEnd) -> None:
        """Some process has. A changed role is for the services to judge: they know what a route permits."""
        if end.reason is not EndReason.ROLE_CHANGED:
            self._end_calls(
                lambda identity: end.covers(identity.principal, Permission.ME_READ), _shown(end.reason)
            )


def _subjects(identity: Identity) -> set[str]:
    principal = identity.principal
    ids = (
        (user_subject, principal.user_id),
        (key_subject, principal.key_id),
        (session_subject, principal.session_id),
    )
    return {name(found) for name, found in ids if found is not None}


def _shown(reason: EndReason | None) -> AppError:
    if reason is None:
        return Unauthenticated(_SESSION_ENDED, code="session_ended")
    if reason is EndReason.ACCOUNT_SUSPENDED:
        return Forbidden(DETAILS[reason], code=reason.value)
    return Unauthenticated(DETAILS[reason], code=reason.value)
