"""The id of a request and its trace reach every service that works for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import orjson
import pytest
from identities import KeyRing, make_principal
from servers import serve
from shared.auth.tokens import ServiceTokens
from shared.clients.agents import AgentClient
from shared.clients.billing import BillingClient
from shared.clients.completions import Completions
from shared.clients.inference import InferenceClient
from shared.clients.retrieval import RetrievalClient
from shared.http import Timeouts, UpstreamPool
from shared.logs import request_id_var
from shared.telemetry import traceparent_var

TRACEPARENT = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=5, idle_s=5)
PRINCIPAL = make_principal()


class Service:
    """Remembers the headers of each request and answers an empty object."""

    def __init__(self) -> None:
        self.headers: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.headers.append(dict(scope["headers"]))
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": orjson.dumps({"data": [], "results": []})})


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Service, dict[str, Any]]]:
    service, pool = Service(), UpstreamPool()
    tokens = ServiceTokens(signing_key_pem=KeyRing().pem("chat-service"), service="chat-service")
    async with serve(service, lifespan="off") as base_url:
        yield service, {"pool": pool, "tokens": tokens, "base_url": base_url, "timeouts": TIMEOUTS}
    await pool.aclose()


async def drained(stream: Any) -> None:
    async for _ in stream:
        pass


CALLS: list[Callable[[dict[str, Any]], Awaitable[Any]]] = [
    lambda to: AgentClient(**to).cancel(PRINCIPAL, uuid4()),
    lambda to: drained(AgentClient(**to).events(PRINCIPAL, uuid4(), after=0)),
    lambda to: RetrievalClient(**to).content(PRINCIPAL, uuid4()),
    lambda to: InferenceClient(**to).embed(PRINCIPAL, "m", ["a"]),
    lambda to: drained(Completions(**to).stream(PRINCIPAL, {"model": "m", "messages": []})),
    lambda to: BillingClient(**to).entitlements(PRINCIPAL),
    lambda to: BillingClient(**to).usage(uuid4()),
    lambda to: BillingClient(**to).checkpoint({uuid4(): 1}),
    lambda to: BillingClient(**to).reserve({}),
]


@pytest.mark.parametrize("call", CALLS)
async def test_every_client_passes_the_request_on(
    stage: tuple[Service, dict[str, Any]], call: Callable[..., Awaitable[Any]]
) -> None:
    service, to = stage
    request_id_var.set("request-of-this-test")
    traceparent_var.set(TRACEPARENT)
    with suppress(Exception):  # the answer is of no kind in particular
        await call(to)
    assert [(headers[b"x-request-id"], headers[b"traceparent"]) for headers in service.headers] == [
        (b"request-of-this-test", TRACEPARENT)
    ]
