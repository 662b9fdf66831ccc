"""A gateway's proxy on a real uvicorn in front of an upstream that shows what reached it."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from gateway_service.identity.ports import Identity, Quota
from gateway_service.limits.bucket import BucketLimiter
from gateway_service.proxy.app import ProxyApp
from gateway_service.proxy.config import ProxyConfig
from gateway_service.proxy.instruments import Instruments
from gateway_service.proxy.routes import service_routes
from identities import make_principal
from servers import serve
from shared.background import Periodic
from shared.errors import Unauthenticated
from shared.http import UpstreamPool
from shared.logs import AccessLog
from shared.metrics import Metrics
from shared.telemetry import Telemetry
from starlette.types import ASGIApp

TOKEN = "good-" + "token"
HOP = b"Bearer minted-for-the-hop"


class KnownTokens:
    """Accepts one token; remembers it after the first time, as the real one does."""

    def __init__(self, per_minute: int) -> None:
        self.identity = Identity(
            principal=make_principal(), hop_authorization=HOP, quotas=(Quota("user:a", per_minute),)
        )
        self.calls = 0
        self._seen = False

    def remembered(self, credential: bytes) -> Identity | None:
        return self.identity if self._seen and credential == TOKEN.encode() else None

    async def authenticate(self, credential: bytes) -> Identity:
        self.calls += 1
        await asyncio.sleep(0)
        if credential != TOKEN.encode():
            raise Unauthenticated("the token is not valid")
        self._seen = True
        return self.identity


Upstream = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


@dataclass
class Stage:
    """`seen` are the scopes that reached the upstream, `left` counts the clients it saw leaving."""

    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    left: int = 0
    authenticator: KnownTokens | None = None
    pool: UpstreamPool | None = None
    app: ProxyApp | None = None

    @property
    def connections(self) -> int:
        """Open connections to the proxy."""
        return 0 if self.app is None else len(self.app.guard)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def headers(self, index: int = -1) -> dict[bytes, bytes]:
        return dict(self.seen[index]["headers"])


async def answer(
    send: Any, status: int = 200, body: bytes = b"ok", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    length = () if status in {204, 304} else ((b"content-length", str(len(body)).encode()),)
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def own_application(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the gateway's own routes."""
    if scope["type"] == "http":
        await answer(send, body=b"own " + scope["path"].encode())


@asynccontextmanager
async def stage(
    upstream: Upstream | None = None,
    *,
    config: ProxyConfig | None = None,
    per_minute: int = 1000,
    origin: str | None = None,
    own: ASGIApp | None = None,
    options: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Stage]:
    """With `origin` the proxy's services are at that address instead; `options` are more of uvicorn's."""
    setting = Stage()

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        setting.seen.append(scope)
        if upstream is not None:
            try:
                await upstream(scope, receive, send)
            except ConnectionResetError:
                setting.left += 1
            return
        setting.bodies.append(await read_body(receive))
        await answer(send)

    async with serve(recording, lifespan="off", proxy_headers=False) as url:
        target = origin or url
        pool = UpstreamPool()
        setting.authenticator = KnownTokens(per_minute)
        setting.pool = pool
        app = ProxyApp(
            routes=service_routes(
                chat_url=target,
                inference_url=target,
                agent_url=target,
                retrieval_url=target,
                billing_url=target,
            ),
            fallback=own or own_application,
            authenticator=setting.authenticator,
            limiter=BucketLimiter(failures_per_minute=3),
            pool=pool,
            instruments=Instruments(
                Metrics(service="gateway"), Telemetry(service="gateway", endpoint=None), AccessLog("gateway")
            ),
            config=config,
        )
        setting.app = app
        probes = Periodic("probes", 0, app.breakers.probe)
        probes.start()
        # With uvicorn's own reading of forwarding headers on, as it is when nobody says otherwise.
        async with serve(
            app, **{"lifespan": "off", "server_header": False, "ws": "none", **(options or {})}
        ) as gateway:
            setting.url = gateway
            yield setting
        await probes.close()
        await pool.aclose(drain_s=0.1)


_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


async def raw(port: int, data: bytes, *, answers: int = 1, quiet_s: float = 0) -> bytes:
    """Sends bytes as they are; gives so many whole answers, and what else comes within `quiet_s`. Less when
    the connection closes.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    received = b""
    try:
        async with asyncio.timeout(20):
            while _whole_answers(received) < answers and (piece := await reader.read(65536)):
                received += piece
        with suppress(TimeoutError):
            async with asyncio.timeout(quiet_s):
                while piece := await reader.read(65536):
                    received += piece
    finally:
        writer.close()
    return received


def _whole_answers(received: bytes) -> int:
    """How many answers of a stated length these bytes hold from head to end."""
    whole = 0
    while (end := received.find(b"\r\n\r\n")) >= 0 and (length := _LENGTH.search(received[:end])):
        end += 4 + int(length[1])
        if len(received) < end:
            break
        received, whole = received[end:], whole + 1
    return whole
