"""Which path prefix belongs to which service, and how long its answers may take."""

import re
from dataclasses import dataclass, field
from typing import Literal

from gateway_service.limits.ports import RouteClass

Envelope = Literal["problem", "openai"]

ANSWER_S = 8.0
"""To the first byte of an ordinary answer. With two seconds to connect nobody waits longer than ten."""
OUTSIDE_S = 60.0
"""Of a call that asks a server elsewhere before it answers."""
UPLOAD_S = 120.0
"""From the last byte of a file to the answer: it is written to the object store first."""
COMPLETION_S = 600.0
"""Of a model's whole answer, an agent's run, or code; also of every stream, which may wait for the first
word.
"""

_READS = frozenset({"GET", "HEAD"})

Patience = tuple[re.Pattern[bytes], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`prefix` matches itself and what follows it after a slash. `origin` is scheme://host:port.

    `slow`: writes whose path after the prefix matches get more time than ANSWER_S; the first match counts.
    """

    prefix: bytes
    service: str
    origin: str
    route_class: RouteClass = RouteClass.REST
    envelope: Envelope = "problem"
    slow: tuple[Patience, ...] = ()
    raw_origin: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw_origin", self.origin.encode("ascii"))

    def first_byte_s(self, method: str, raw_path: bytes, *, wants_events: bool) -> float:
        """Seconds until the head of the answer must be here."""
        if wants_events:
            return COMPLETION_S
        if method not in _READS:
            for pattern, seconds in self.slow:
                if pattern.match(raw_path, len(self.prefix)):
                    return seconds
        return ANSWER_S


_EVERY = re.compile(rb"")
_CHAT_SLOW = ((re.compile(rb"/[^/]+/messages(?:/[^/]+/(?:continue|regenerate))?$"), COMPLETION_S),)
_AGENT_SLOW = (
    (re.compile(rb"/code/execute$|/[^/]+/runs$"), COMPLETION_S),
    (re.compile(rb"/mcp-servers(?:/|$)"), OUTSIDE_S),
)
_RETRIEVAL_SLOW = ((re.compile(rb"/files$|/uploads/"), UPLOAD_S),)
_USAGE_SLOW = ((re.compile(rb"/sync/"), UPLOAD_S),)


def service_routes(
    *, chat_url: str, inference_url: str, agent_url: str, retrieval_url: str, billing_url: str
) -> tuple[Route, ...]:
    """The table of the platform; everything else is the gateway's own."""
    models = RouteClass.MODELS
    return (
        Route(
            prefix=b"/v1",
            service="inference-service",
            origin=inference_url,
            route_class=models,
            envelope="openai",
            slow=((_EVERY, COMPLETION_S),),
        ),
        Route(prefix=b"/api/v1/chats", service="chat-service", origin=chat_url, slow=_CHAT_SLOW),
        Route(prefix=b"/api/v1/inference", service="inference-service", origin=inference_url),
        Route(prefix=b"/api/v1/agents", service="agent-service", origin=agent_url, slow=_AGENT_SLOW),
        Route(
            prefix=b"/api/v1/retrieval",
            service="retrieval-service",
            origin=retrieval_url,
            slow=_RETRIEVAL_SLOW,
        ),
        Route(prefix=b"/api/v1/billing", service="billing-service", origin=billing_url),
        Route(
            prefix=b"/api/v1/usage-tracking", service="billing-service", origin=billing_url, slow=_USAGE_SLOW
        ),
    )
