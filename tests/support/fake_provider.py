"""A scripted OpenAI-compatible provider: `python -m fake_provider --port 9000`, or `running_provider()` in a
test.

A model's name chooses the behaviour (fake-echo, fake-slow, fake-429, fake-500, fake-401, fake-stall,
fake-hang, fake-malformed, fake-no-usage, fake-abort, fake-over, fake-tools, fake-reasoning, fake-length); so
do "!" words in the last user message, such as "!slow" or "!tokens=20 !delay_ms=5". GET /_requests lists what
came in, GET /_dispatches counts it, POST /_reset forgets it.
"""

import argparse
import asyncio
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import fake_replies
import httptools
import orjson
from fake_replies import Plan, failure, whole
from shared.background import TaskTracker

_REQUESTS_KEPT = 1000
_SECRET_HEADERS = frozenset({"authorization", "x-api-key"})


class FakeProvider:
    """What the server saw, and its answers. `url` is set while it serves."""

    def __init__(self, *, api_key: str | None = None) -> None:
        self.url = ""
        self.tasks = TaskTracker()
        self.recording = True
        self.scripted: Plan | None = None  # what every chat completion gets, whatever it asks for
        self.moved: dict[str, str] = {}  # paths that answer 307 with this location
        self._authorization = None if api_key is None else f"Bearer {api_key}"
        self.requests: deque[dict[str, Any]] = deque(maxlen=_REQUESTS_KEPT)
        self.by_model: Counter[str] = Counter()
        self.dispatches = 0
        self.cancelled = 0
        self.completed = 0
        self.running = 0

    def reset(self) -> None:
        """Forgets requests and counts."""
        self.requests.clear()
        self.by_model.clear()
        self.dispatches = self.cancelled = self.completed = 0

    def plan(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Plan:
        """Chooses and counts the answer."""
        if path.startswith("/_"):
            return self._control(method, path)
        payload = _parse(body)
        if self.recording:
            self.requests.append(
                {"method": method, "path": path, "headers": _redacted(headers), "body": payload}
            )
        if self._authorization is not None and headers.get("authorization") != self._authorization:
            return failure(401, "Incorrect API key provided", "invalid_api_key")
        if path in self.moved:
            return Plan([whole(307, b"", extra=f"location: {self.moved[path]}\r\n".encode())])
        if method == "GET" and path == "/v1/models":
            return fake_replies.models()
        if payload is None:
            return failure(400, "the body is no JSON object", "invalid_request_error")
        if path in {"/v1/chat/completions", "/elsewhere/chat/completions"}:
            plan = self.scripted or fake_replies.chat(payload)
        elif path == "/v1/embeddings":
            plan = fake_replies.embeddings(payload)
        else:
            return failure(404, f"no route {path}", "not_found")
        self.dispatches += 1
        self.by_model[plan.model] += 1
        return plan

    def counts(self) -> dict[str, Any]:
        """`dispatches` are requests for a model, refused ones included; `cancelled` those the client left
        before their end.
        """
        return {
            "dispatches": self.dispatches,
            "completed": self.completed,
            "cancelled": self.cancelled,
            "running": self.running,
            "by_model": dict(self.by_model),
        }

    def _control(self, method: str, path: str) -> Plan:
        if path == "/_requests":
            return Plan([whole(200, orjson.dumps(list(self.requests)))])
        if path == "/_dispatches":
            return Plan([whole(200, orjson.dumps(self.counts()))])
        if path == "/_reset" and method == "POST":
            self.reset()
            return Plan([whole(200, b"{}")])
        return failure(404, f"no control route {path}", "not_found")


def _parse(body: bytes) -> dict[str, Any] | None:
    with suppress(orjson.JSONDecodeError):
        payload = orjson.loads(body)
        if isinstance(payload, dict):
            return cast("dict[str, Any]", payload)
    return None


def _redacted(headers: dict[str, str]) -> dict[str, str]:
    return {name: "[redacted]" if name in _SECRET_HEADERS else value for name, value in headers.items()}


class _Connection(asyncio.Protocol):
    """One keep-alive connection of a client; requests on it are answered one after the other."""

    def __init__(self, provider: FakeProvider, connections: set["_Connection"]) -> None:
        self._provider = provider
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        if self._answering is not None:
            self._answering.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("ascii")
        path = self._url.decode("latin-1").partition("?")[0]
        plan = self._provider.plan(method, path, self._headers, b"".join(self._body))
        if self._transport is None:
            return
        if plan.delay_s == 0 and plan.end == "done":
            self._transport.write(b"".join(plan.pieces))
            self._provider.completed += plan.counts
        else:
            self._answering = self._provider.tasks.spawn(self._play(plan), "fake-answer")

    async def _play(self, plan: Plan) -> None:
        provider = self._provider
        provider.running += 1
        try:
            for index, piece in enumerate(plan.pieces):
                if index or len(plan.pieces) == 1:
                    await asyncio.sleep(plan.delay_s)
                if self._transport is not None:
                    self._transport.write(piece)
            if plan.end == "stall":
                await asyncio.Event().wait()
            if plan.end == "abort":
                self.close()
            provider.completed += plan.counts
        except asyncio.CancelledError:
            provider.cancelled += 1
            raise
        finally:
            provider.running -= 1
            self._answering = None


@asynccontextmanager
async def running_provider(
    *, api_key: str | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[FakeProvider]:
    """Serves while the block runs, on a free port unless told one. `provider.url` ends in /v1."""
    provider = FakeProvider(api_key=api_key)
    connections: set[_Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(provider, connections), host, port, backlog=512
    )
    provider.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield provider
    finally:
        server.close()
        for connection in list(connections):
            connection.close()
        await provider.tasks.drain(0.1)


async def _serve(host: str, port: int, api_key: str | None) -> None:
    async with running_provider(api_key=api_key, host=host, port=port) as provider:
        sys.stdout.write(provider.url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Runs until it is killed; prints its base URL first."""
    parser = argparse.ArgumentParser(description="scripted OpenAI-compatible provider")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default=None, help="require this bearer key")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.host, options.port, options.api_key))


if __name__ == "__main__":
    main()
