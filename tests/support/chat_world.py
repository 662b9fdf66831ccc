"""What the chat-service meets in tests: scripted neighbours, people, and processes that can be killed."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from chat_service.main import create_app
from chat_service.settings import ChatSettings
from identities import KeyRing, make_principal
from servers import read_body, serve
from shared.auth.principal import Principal
from shared.sse import SseParser
from suite.waiting import eventually

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "cost_nano": 1200, "remaining_nano": 998_800}


DONE = {"done"}


Plan = Callable[["FakeSuite", Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]


class FakeSuite:
    """Inference and billing as the chat-service sees them. `plans` are used up in order, then `default`."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.actors: list[str] = []
        self.plans: deque[Plan] = deque()
        self.default: Plan = says("Hello", " there", "!")
        self.recorded: dict[str, dict[str, Any]] = {}
        self.cancelled = 0
        self.dispatch_ids: list[str] = []
        self.asked_ids: list[str] = []
        self.contexts: dict[str, int] = {"of-4096-tokens": 4096}

    @staticmethod
    def says(*words: str) -> Plan:
        """A plan for tests that cannot import this file."""
        return says(*words)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        if scope["path"].startswith("/internal/v1/usage/"):
            await self._usage(scope["path"].rsplit("/", 1)[1], send)
            return
        if scope["path"] == "/internal/v1/models":
            await answer(
                send,
                200,
                {
                    "data": [
                        {"id": model, "context_length": length} for model, length in self.contexts.items()
                    ]
                },
            )
            return
        self.requests.append(json.loads(body))
        self.asked_ids.append(dict(scope["headers"])[b"x-atrium-dispatch-id"].decode())
        plan = self.plans.popleft() if self.plans else self.default
        playing = asyncio.ensure_future(plan(self, send))
        gone = asyncio.ensure_future(receive())
        await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            self.cancelled += 1
        for task in (playing, gone):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await playing

    async def _usage(self, dispatch_id: str, send: Any) -> None:
        known = self.recorded.get(dispatch_id)
        await answer(send, 200 if known else 404, known or {"code": "not_found", "detail": "no such request"})


async def answer(send: Any, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    raw = [(b"content-type", b"application/json")] + [
        (k.encode(), v.encode()) for k, v in (headers or {}).items()
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def begin(suite: FakeSuite, send: Any) -> None:
    dispatch_id = str(uuid4())
    suite.dispatch_ids.append(dispatch_id)
    headers = [(b"content-type", b"text/event-stream"), (b"x-atrium-dispatch-id", dispatch_id.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def token(send: Any, text: str) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": text}}]}
    await send(
        {
            "type": "http.response.body",
            "body": b"data: " + json.dumps(chunk).encode() + b"\n\n",
            "more_body": True,
        }
    )


async def finish(send: Any, usage: dict[str, Any] | None = None, *, reason: str = "stop") -> None:
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    end = {"choices": [], "usage": usage or USAGE}
    body = (
        b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in (last, end))
        + b"data: [DONE]\n\n"
    )
    await send({"type": "http.response.body", "body": body})


def says(*tokens: str, gap_s: float = 0.0, until: asyncio.Event | None = None, reason: str = "stop") -> Plan:
    """Streams `tokens`, then waits for `until`, then ends for `reason`."""

    async def play(suite: FakeSuite, send: Any) -> None:
        await begin(suite, send)
        for text in tokens:
            await token(send, text)
            await asyncio.sleep(gap_s)
        if until is not None:
            await until.wait()
        await finish(send, reason=reason)

    return play


def deltas(*pieces: dict[str, Any], reason: str = "stop", until: asyncio.Event | None = None) -> Plan:
    """Streams `pieces` as they are, then ends for `reason`."""

    async def play(suite: FakeSuite, send: Any) -> None:
        await begin(suite, send)
        for piece in pieces:
            chunk = {"choices": [{"index": 0, "delta": piece}]}
            await send(
                {
                    "type": "http.response.body",
                    "body": b"data: " + json.dumps(chunk).encode() + b"\n\n",
                    "more_body": True,
                }
            )
        if until is not None:
            await until.wait()
        await finish(send, reason=reason)

    return play


def refuses(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Plan:
    async def play(_suite: FakeSuite, send: Any) -> None:
        await answer(send, status, body, headers)

    return play


def breaks_after(*tokens: str) -> Plan:
    """The stream ends in its middle, as when inference dies."""

    async def play(suite: FakeSuite, send: Any) -> None:
        await begin(suite, send)
        for text in tokens:
            await token(send, text)
        await send({"type": "http.response.body", "body": b""})

    return play


@dataclass(frozen=True, slots=True)
class Seen:
    """One received event."""

    id: int
    event: str
    data: dict[str, Any]


def text_of(events: list[Seen], start: str = "") -> str:
    """What a reader shows after these events."""
    text = start
    for event in events:
        if event.event == "reset":
            text = event.data["text"]
        elif event.event == "delta":
            text += event.data["text"]
    return text


async def take(events: AsyncIterator[Seen], count: int) -> list[Seen]:
    """The next `count` events."""
    return [await anext(events) for _ in range(count)]


class User:
    """A person's browser against one process of the service."""

    def __init__(self, base_url: str, keys: KeyRing, principal: Principal) -> None:
        self.principal = principal
        self.http = httpx.AsyncClient(
            base_url=base_url, headers=keys.user_headers(principal), timeout=20, trust_env=False
        )

    async def new_chat(self, **body: Any) -> str:
        answer = await self.http.post("/api/v1/chats", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    @contextlib.asynccontextmanager
    async def events(self, method: str, url: str, **options: Any) -> AsyncGenerator[AsyncIterator[Seen]]:
        headers = {"accept": "text/event-stream", **options.pop("headers", {})}
        async with self.http.stream(method, url, headers=headers, **options) as response:
            if response.status_code != 200:
                await response.aread()
            assert response.status_code == 200, response.text
            assert response.headers["content-type"].startswith("text/event-stream")
            yield read_events(response)

    async def collect(self, method: str, url: str, **options: Any) -> list[Seen]:
        async with self.events(method, url, **options) as events:
            return [event async for event in events]

    async def say(
        self, chat_id: str, content: str = "hi", headers: dict[str, str] | None = None, **body: Any
    ) -> list[Seen]:
        return await self.collect(
            "POST",
            f"/api/v1/chats/{chat_id}/messages",
            json={"content": content, **body},
            headers=headers or {},
        )

    async def resume(self, chat_id: str, message_id: str, after: int = 0) -> list[Seen]:
        return await self.collect(
            "GET", f"/api/v1/chats/{chat_id}/messages/{message_id}/stream?after={after}"
        )

    async def message(self, chat_id: str, message_id: str) -> dict[str, Any]:
        return (
            (await self.http.get(f"/api/v1/chats/{chat_id}/messages/{message_id}")).raise_for_status().json()
        )

    async def branch(self, chat_id: str, **params: Any) -> dict[str, Any]:
        return (
            (await self.http.get(f"/api/v1/chats/{chat_id}/messages", params=params))
            .raise_for_status()
            .json()
        )

    async def until_ended(self, chat_id: str, message_id: str, within_s: float = 15) -> dict[str, Any]:
        """The reply once it no longer streams."""

        async def ended() -> bool:
            return (await self.message(chat_id, message_id))["status"] != "streaming"

        await eventually(ended, within_s)
        return await self.message(chat_id, message_id)

    async def until_known_cost(self, chat_id: str, message_id: str) -> dict[str, Any]:
        """The reply once its usage is known."""

        async def known() -> bool:
            return (await self.message(chat_id, message_id))["usage"] is not None

        await eventually(known, 10)
        return await self.message(chat_id, message_id)


async def read_events(response: httpx.Response) -> AsyncIterator[Seen]:
    parser = SseParser()
    async for chunk in response.aiter_raw():
        for event in parser.feed(chunk):
            yield Seen(int(event.id or 0), event.event, json.loads(event.data))


@dataclass
class Service:
    """One running process (here: event loop) of the service."""

    base_url: str
    app: Any
    keys: KeyRing
    _users: list[User]

    def user(self, principal: Principal | None = None) -> User:
        self._users.append(User(self.base_url, self.keys, principal or make_principal()))
        return self._users[-1]


class Starter:
    """Starts services; keyword arguments are settings."""

    def __init__(self, stack: contextlib.AsyncExitStack, fields: dict[str, Any], keys: KeyRing) -> None:
        self._stack = stack
        self._fields = fields
        self._keys = keys

    async def __call__(self, **changes: Any) -> Service:
        app = create_app(ChatSettings(**{**self._fields, **changes}))
        users: list[User] = []
        base_url = await self._stack.enter_async_context(serve(app))
        self._stack.push_async_callback(close, users)
        return Service(base_url, app, self._keys, users)

    async def process(self, **changes: Any) -> "Process":
        """A service in a process of its own, to be killed."""
        process = Process(self._keys, {**self._fields, **changes})
        self._stack.push_async_callback(process.end)
        await process.until_ready()
        return process


async def close(users: list[User]) -> None:
    for user in users:
        await user.http.aclose()


class Process:
    """uvicorn in a child process on a port of its own."""

    def __init__(self, keys: KeyRing, fields: dict[str, Any]) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.keys = keys
        self._users: list[User] = []
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "chat_service.main:create_app",
            "--factory",
            "--fd",
            str(self._listener.fileno()),
        ]
        environment = {**os.environ, **{name.upper(): str(value) for name, value in fields.items()}}
        self.child = subprocess.Popen(
            command,
            env=environment,
            pass_fds=[self._listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._listener.close()

    async def until_ready(self) -> None:
        async with asyncio.timeout(75), httpx.AsyncClient(timeout=60, trust_env=False) as http:
            while True:
                assert self.child.poll() is None, "the process ended at start"
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"{self.base_url}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    def user(self, principal: Principal | None = None) -> User:
        self._users.append(User(self.base_url, self.keys, principal or make_principal()))
        return self._users[-1]

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    async def until_exit(self, within_s: float = 15) -> int:
        async def gone() -> bool:
            return self.child.poll() is not None

        await eventually(gone, within_s)
        return self.child.returncode

    async def end(self) -> None:
        self.child.kill()
        await asyncio.to_thread(self.child.wait)
        await close(self._users)


def reply_id(events: list[Any]) -> str:
    """Of the reply whose events these are."""
    return events[0].data["reply_id"]
