"""What the proxy asks of request quotas."""

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway_service.identity.ports import Identity


class RouteClass(StrEnum):
    """Routes that share one quota: a burst of completions never locks a person out of their chat list."""

    REST = "rest"
    MODELS = "models"


@dataclass(slots=True)
class Decision:
    """`headers` are the X-RateLimit-* fields of the tightest quota, for refused and allowed
    requests alike.
    """

    allowed: bool
    headers: tuple[tuple[bytes, bytes], ...]
    retry_after_s: int


def share(limit: int, processes: int) -> int:
    """What each of so many processes may admit when they cannot count together; one at least."""
    return limit if processes == 1 else max(1, limit // processes)


Asked = Decision | Awaitable[Decision]
"""At once from the memory of this process, or after a question to Redis."""


async def decided(asked: Asked) -> Decision:
    return asked if isinstance(asked, Decision) else await asked


class Limiter(Protocol):
    """Request quotas. A refused request costs nothing."""

    def check(self, identity: Identity, route_class: RouteClass) -> Asked:
        """Takes one request from each quota of the identity, or from none of them."""
        ...

    def refund(self, identity: Identity, route_class: RouteClass) -> None:
        """Gives back what check() took, when the request reached no service."""
        ...

    def forgive(self, identity: Identity, route_class: RouteClass) -> None:
        """As refund(), a few times a minute at most: the service refused for lack of money or quota, which
        cost it work.
        """
        ...

    def count_failure(self, address: str) -> Asked:
        """Records a credential that was refused, and whether its address may be told so once more. Good ones
        are never asked.
        """
        ...
