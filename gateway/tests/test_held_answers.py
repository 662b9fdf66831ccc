"""An answer that is held for a moment to leave with others leaves before whatever ends its connection."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from gateway_service.adapters.uvicorn_http import GuardedProtocol
from gateway_service.connections.guard import ConnectionGuard
from gateway_service.proxy.config import ProxyConfig
from shared.adapters.uvicorn_http import install
from shared.corking import Cork
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Client(asyncio.Transport):
    """Notes what reaches the client, and when the connection is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else default

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written to a closed connection"
        self.seen.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Application:
    """Answers at once; `then` is called while the answer is held."""

    protocol_class = GuardedProtocol

    def __init__(self, then: Callable[[GuardedProtocol], None], *, close: bool = False) -> None:
        self.cork = Cork()
        self.guard = ConnectionGuard(ProxyConfig().connections, lambda: 0)
        self._then = then
        self._fields = [(b"content-length", b"2"), *([(b"connection", b"close")] if close else [])]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        connection: GuardedProtocol = scope["atrium.connection"]
        assert connection.send_whole(scope, 200, self._fields, b"ok")
        self._then(connection)


async def seen_by_client(application: Application) -> bytes:
    install()
    config = uvicorn.Config(application, http="httptools", ws="none", lifespan="off", log_config=None)
    config.load()
    protocol, client = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={}), Client()
    protocol.connection_made(client)
    protocol.data_received(REQUEST)
    for _ in range(4):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    return b"".join(client.seen)


@pytest.mark.parametrize(
    "then",
    [
        lambda connection: connection.shutdown(),
        lambda connection: connection.expire(),
        lambda connection: connection.data_received(b"no request\r\n\r\n"),
    ],
    ids=["the server stops", "the deadline passes", "what follows is no HTTP"],
)
async def test_a_held_answer_leaves_before_the_connection_ends(
    then: Callable[[GuardedProtocol], None],
) -> None:
    seen = await seen_by_client(Application(then))
    assert seen.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\nok" in seen


async def test_the_last_answer_of_a_connection_leaves_before_it_closes() -> None:
    assert (await seen_by_client(Application(lambda _: None, close=True))).endswith(
        b"connection: close\r\n\r\nok"
    )
