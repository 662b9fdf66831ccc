"""What the agent-service meets in tests: scripted neighbours, people, and processes that can be killed."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from identities import KeyRing, make_principal
from servers import read_body
from shared.auth.principal import Principal
from shared.contracts.agents import ASSISTANT_AGENT_ID
from shared.sse import SseParser
from suite.waiting import eventually

SERVICE_SCRIPT = Path(__file__).with_name("runs_service.py")


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "cost_nano": 100, "remaining_nano": 9_000}


Plan = Callable[["Others", "Dispatch"], Awaitable[None]]


@dataclass
class Dispatch:
    """One completion under way; `id` is what the caller chose."""

    send: Any
    body: dict[str, Any]
    id: str

    async def begin(self) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"x-atrium-dispatch-id", self.id.encode())]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})

    async def chunk(self, data: dict[str, Any]) -> None:
        await self.send(
            {
                "type": "http.response.body",
                "body": b"data: " + json.dumps(data).encode() + b"\n\n",
                "more_body": True,
            }
        )

    async def text(self, *pieces: str, gap_s: float = 0, reasoning: bool = False) -> None:
        for piece in pieces:
            await self.chunk(
                {"choices": [{"delta": {"reasoning_content" if reasoning else "content": piece}}]}
            )
            await asyncio.sleep(gap_s)

    async def call(self, index: int, name: str, arguments: str, call_id: str | None = None) -> None:
        """In two pieces, as providers send them."""
        half = len(arguments) // 2
        head = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments[:half]}}
        await self.chunk({"choices": [{"delta": {"tool_calls": [head]}}]})
        await self.chunk(
            {
                "choices": [
                    {"delta": {"tool_calls": [{"index": index, "function": {"arguments": arguments[half:]}}]}}
                ]
            }
        )

    async def end(self, reason: str = "stop", usage: dict[str, Any] | None = None) -> None:
        await self.chunk({"choices": [{"delta": {}, "finish_reason": reason}]})
        await self.chunk({"choices": [], "usage": USAGE if usage is None else usage})
        await self.send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def answer(send: Any, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    raw = [(b"content-type", b"application/json")] + [
        (k.encode(), v.encode()) for k, v in (headers or {}).items()
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class Others:
    """Inference, retrieval and billing as the agent-service sees them. `plans` are used up in order, then
    `default`.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str] = []
        self.plans: deque[Plan] = deque()
        self.default: Plan = says("Hello", " there", "!")
        self.charges: dict[str, int] = {}
        self.charges_known = True
        self.cancelled = 0
        self.bases: dict[str, set[str]] = {}
        self.contexts: dict[str, int] = {"tiny": 1200}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        path = scope["path"]
        if path.startswith("/internal/v1/usage/"):
            await self._usage(path.rsplit("/", 1)[1], send)
        elif path == "/internal/v1/models":
            await answer(
                send,
                200,
                {
                    "data": [
                        {"id": model, "context_length": length} for model, length in self.contexts.items()
                    ]
                },
            )
        elif path.startswith("/api/v1/retrieval/"):
            await self._source(path, dict(scope["headers"])[b"authorization"].decode(), send)
        else:
            self.authorizations.append(dict(scope["headers"])[b"authorization"].decode())
            chosen = dict(scope["headers"])[b"x-atrium-dispatch-id"].decode()
            await self._complete(Dispatch(send, json.loads(body), chosen), receive)

    async def _usage(self, dispatch_id: str, send: Any) -> None:
        if not self.charges_known or dispatch_id not in self.charges:
            await answer(send, 404, {"code": "not_found", "detail": "no such request"})
            return
        cost = self.charges[dispatch_id]
        recorded = {
            "request_id": dispatch_id,
            "state": "settled",
            "cost_nano": cost,
            "input_tokens": 10,
            "output_tokens": 2,
        }
        await answer(send, 200, recorded)

    async def _source(self, path: str, authorization: str, send: Any) -> None:
        source = path.rsplit("/", 1)[1]
        if source not in self.bases:
            await answer(
                send, 404, {"code": "knowledge_base_not_found", "detail": "there is no such knowledge base"}
            )
            return
        self.bases[source].add(authorization)
        now = "2026-01-01T00:00:00Z"
        base = {
            "id": source,
            "name": "b",
            "description": "",
            "access": "private",
            "writable": True,
            "file_count": 0,
        }
        await answer(send, 200, {**base, "created_at": now, "updated_at": now})

    async def _complete(self, dispatch: Dispatch, receive: Any) -> None:
        self.requests.append(dispatch.body)
        plan = self.plans.popleft() if self.plans else self.default
        playing = asyncio.ensure_future(plan(self, dispatch))
        gone = asyncio.ensure_future(receive())
        await asyncio.wait({playing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            self.cancelled += 1
            self.charges[dispatch.id] = 30
        for task in (playing, gone):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await playing


def says(*pieces: str, gap_s: float = 0, until: asyncio.Event | None = None, **end: Any) -> Plan:
    """Streams `pieces`, waits for `until`, ends well."""

    async def play(others: Others, dispatch: Dispatch) -> None:
        await dispatch.begin()
        await dispatch.text(*pieces, gap_s=gap_s)
        if until is not None:
            await until.wait()
        others.charges[dispatch.id] = 100
        await dispatch.end(**end)

    return play


def calls(*made: tuple[str, Any], text: str = "", ids: tuple[str, ...] = (), **end: Any) -> Plan:
    """Makes tool calls (name, arguments as an object or as raw text)."""

    async def play(others: Others, dispatch: Dispatch) -> None:
        await dispatch.begin()
        if text:
            await dispatch.text(text)
        for index, (name, arguments) in enumerate(made):
            raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
            await dispatch.call(index, name, raw, ids[index] if ids else f"call_{index}")
        others.charges[dispatch.id] = 100
        await dispatch.end("tool_calls", **end)

    return play


def refuses(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Plan:
    async def play(_others: Others, dispatch: Dispatch) -> None:
        await answer(dispatch.send, status, body, headers)

    return play


def breaks_after(*pieces: str) -> Plan:
    """The stream ends in its middle, as when inference dies."""

    async def play(others: Others, dispatch: Dispatch) -> None:
        await dispatch.begin()
        await dispatch.text(*pieces)
        others.charges[dispatch.id] = 40
        await dispatch.send({"type": "http.response.body", "body": b""})

    return play


@dataclass(frozen=True, slots=True)
class Seen:
    """One received event."""

    id: int
    event: str
    data: dict[str, Any]


def text_of(events: list[Seen]) -> str:
    """What a reader shows: a step's text counts from its last attempt only."""
    texts: list[tuple[int, str]] = []
    step = 0
    for event in events:
        if event.event == "step":
            step = event.data["step"]
            texts = [(number, text) for number, text in texts if number != step]
        elif event.event == "delta":
            texts.append((step, event.data["text"]))
    return "".join(text for _, text in texts)


async def read_events(response: httpx.Response) -> AsyncIterator[Seen]:
    parser = SseParser()
    async for chunk in response.aiter_raw():
        for event in parser.feed(chunk):
            yield Seen(int(event.id or 0), event.event, json.loads(event.data))


class Person:
    """Somebody's client."""

    def __init__(self, base_url: str, keys: KeyRing, principal: Principal) -> None:
        self.principal = principal
        self.http = httpx.AsyncClient(
            base_url=base_url, headers=keys.user_headers(principal), timeout=20, trust_env=False
        )

    async def new_agent(self, *tools: str, approval: tuple[str, ...] = (), **fields: Any) -> str:
        choices = [{"name": name, "approval": "always" if name in approval else "never"} for name in tools]
        answer = await self.http.post("/api/v1/agents", json={"name": "Worker", "tools": choices, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    @contextlib.asynccontextmanager
    async def stream(self, agent_id: str, **body: Any) -> AsyncGenerator[tuple[str, AsyncIterator[Seen]]]:
        """The id of a new run and its events."""
        url, headers = f"/api/v1/agents/{agent_id}/runs", {"accept": "text/event-stream"}
        async with self.http.stream("POST", url, json={"input": "hi", **body}, headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
            assert response.status_code == 200, response.text
            yield response.headers["x-atrium-run-id"], read_events(response)

    async def run(
        self, agent_id: str = str(ASSISTANT_AGENT_ID), **body: Any
    ) -> tuple[dict[str, Any], list[Seen]]:
        """A new run when it has ended, and its events."""
        async with self.stream(agent_id, **body) as (run_id, events):
            seen = [event async for event in events]
        assert [event.id for event in seen] == list(range(1, len(seen) + 1))
        return await self.get(run_id), seen

    async def get(self, run_id: str) -> dict[str, Any]:
        return (await self.http.get(f"/api/v1/agents/runs/{run_id}")).raise_for_status().json()

    async def events(self, run_id: str, after: int = 0, headers: dict[str, str] | None = None) -> list[Seen]:
        url = f"/api/v1/agents/runs/{run_id}/events" + (f"?after={after}" if after else "")
        async with self.http.stream("GET", url, headers=headers) as response:
            assert response.status_code == 200
            return [event async for event in read_events(response)]

    async def until_status(self, run_id: str, *statuses: str) -> dict[str, Any]:
        async def reached() -> bool:
            return (await self.get(run_id))["status"] in statuses

        await eventually(reached)
        return await self.get(run_id)

    async def until_cost(self, run_id: str, cost_nano: int) -> None:
        async def known() -> bool:
            usage = (await self.get(run_id))["usage"]
            return usage is not None and usage["cost_nano"] == cost_nano

        await eventually(known)


@dataclass
class Service:
    """One running process (here: event loop) of the service."""

    base_url: str
    app: Any
    keys: KeyRing
    log: Path
    people: list[Person] = field(default_factory=list[Person])

    def person(self, principal: Principal | None = None) -> Person:
        self.people.append(Person(self.base_url, self.keys, principal or make_principal()))
        return self.people[-1]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Processes:
    """Processes of the service over one socket, one after the other: each is a fork of a process that has
    imported everything.
    """

    def __init__(self, keys: KeyRing, fields: dict[str, Any], log: Path) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.keys = keys
        self.log = log
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pid = 0
        self._former: list[int] = []
        fd = self._listener.fileno()
        environment = {**os.environ, **{name.upper(): str(value) for name, value in fields.items()}}
        self._maker = subprocess.Popen(
            [sys.executable, str(SERVICE_SCRIPT), str(fd), str(log)],
            env=environment, pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.people: list[Person] = []

    async def start(self, version: int = 1) -> None:
        """One more process; `end` is for the last one."""
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        if self._pid:
            self._former.append(self._pid)
        self._maker.stdin.write(f"{version}\n")
        self._maker.stdin.flush()
        self._pid = int(await asyncio.to_thread(self._maker.stdout.readline))
        async with asyncio.timeout(60), httpx.AsyncClient(timeout=60, trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"{self.base_url}/readyz", timeout=5)).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    async def end(self, number: int) -> None:
        """Send the signal and wait until the process is gone."""
        os.kill(self._pid, number)

        async def gone() -> bool:
            return not is_alive(self._pid)

        await eventually(gone)
        self._pid = self._former.pop() if self._former else 0

    def person(self) -> Person:
        self.people.append(Person(self.base_url, self.keys, make_principal()))
        return self.people[-1]

    async def kill(self) -> None:
        while self._pid:
            await self.end(9)

    async def close(self) -> None:
        await self.kill()
        self._maker.kill()
        await asyncio.to_thread(self._maker.wait)
        self._listener.close()
        for person in self.people:
            await person.http.aclose()
