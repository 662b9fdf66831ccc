"""Which path prefix belongs to which service."""

from dataclasses import dataclass
from typing import Literal

from gateway_service.proxy.ports import RouteClass

Envelope = Literal["problem", "openai"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`prefix` matches itself and what follows it after a slash. `origin` is scheme://host:port."""

    prefix: bytes
    service: str
    origin: str
    route_class: RouteClass = RouteClass.REST
    envelope: Envelope = "problem"


def service_routes(*, chat_url: str, inference_url: str, agent_url: str, retrieval_url: str, billing_url: str) -> tuple[Route, ...]:
    """The table of the platform; everything else is the gateway's own."""
    return (
        Route(prefix=b"/v1", service="inference-service", origin=inference_url, route_class=RouteClass.MODELS, envelope="openai"),
        Route(prefix=b"/api/v1/chats", service="chat-service", origin=chat_url),
        Route(prefix=b"/api/v1/inference", service="inference-service", origin=inference_url),
        Route(prefix=b"/api/v1/agents", service="agent-service", origin=agent_url),
        Route(prefix=b"/api/v1/retrieval", service="retrieval-service", origin=retrieval_url),
        Route(prefix=b"/api/v1/billing", service="billing-service", origin=billing_url),
        Route(prefix=b"/api/v1/usage-tracking", service="billing-service", origin=billing_url),
    )
