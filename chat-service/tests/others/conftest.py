"""A scripted agent-service and retrieval-service beside the scripted inference-service; both know
who calls.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import jwt
import pytest
import pytest_asyncio
from servers import read_body, serve
from shared.contracts.retrieval import DocumentMetadata, KnowledgeBase, SearchRequest

NOW = datetime(2026, 11, 22, tzinfo=UTC).isoformat()
RUN_USAGE = {"prompt_tokens": 30, "completion_tokens": 9, "cost_nano": 4321, "remaining_nano": 1000}

Script = Callable[["FakeRun"], Awaitable[None]]


@dataclass
class FakeRun:
    """One run: its events so far, as they were stored."""

    body: dict[str, Any]
    owner: str
    events: list[tuple[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    ended: bool = False
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, event: str, **data: Any) -> None:
        self.events.append((event, data))
        self.ended = event == "done"
        self.changed.set()
        self.changed = asyncio.Event()

    def step(self, step: int, attempt: int = 1, kind: str = "model", title: str = "Thinking") -> None:
        self.emit("step", step=step, attempt=attempt, kind=kind, title=title)

    def call(self, step: int, status: str, call_id: str = "c1", **more: Any) -> None:
        self.emit(
            "tool", step=step, call_id=call_id, name="calculator", title="Calculator", status=status, **more
        )

    def finish(
        self, status: str = "complete", usage: dict[str, Any] | None = RUN_USAGE, reason: str | None = None
    ) -> None:
        if usage is not None:
            self.usage = usage
            self.emit("usage", **usage)
        self.emit("done", status=status, finish_reason=reason)


class FakeOthers:
    """Agents, runs, files and knowledge bases. Everything belongs to the caller's id, and is not there for
    others.
    """

    def __init__(self) -> None:
        self.agents: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.knowledge: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, FakeRun] = {}
        self.starts: list[dict[str, Any]] = []
        self.cancels: list[str] = []
        self.deletions: list[str] = []
        self.refuse_deletions: int | None = None
        self.searches: list[dict[str, Any]] = []
        self.passages: list[dict[str, Any]] = []
        self.found: dict[str, list[dict[str, Any]] | int] = {}
        self.hold_searches: asyncio.Event | None = None
        self.searches_left = 0
        self.asked: list[str] = []
        self.followed: list[int] = []
        self.script: Script = answers("Hello", " agent")
        self.agents_away = False
        self.retrieval_away = False
        self.refuse_start: tuple[int, dict[str, Any]] | None = None
        self.break_after: int | None = None
        self.skip_once: int | None = None
        self._playing: set[asyncio.Task[None]] = set()

    def add_agent(self, user: Any, **changes: Any) -> str:
        agent_id = str(uuid4())
        agent = {
            "id": agent_id,
            "name": "Helper",
            "writable": True,
            "created_at": NOW,
            "updated_at": NOW,
            **changes,
        }
        self.agents[agent_id] = {"owner": str(user.principal.user_id), **agent}
        return agent_id

    def add_file(self, user: Any, **changes: Any) -> str:
        file_id = str(uuid4())
        document = DocumentMetadata.model_validate(
            {
                "document_id": file_id, "customer_id": str(uuid4()), "filename": "report.pdf", "s3_key": "k",
                "content_type": "application/pdf", "size_bytes": 9, "upload_timestamp": NOW,
                "embedding_status": "completed", "qdrant_collection": "c",
                "qdrant_point_id": None, "stage": "ready", "sha256": "0", "updated_at": NOW, **changes,
            }
        )  # fmt: skip
        self.files[file_id] = {"owner": str(user.principal.user_id), **document.model_dump(mode="json")}
        return file_id

    def add_knowledge(self, user: Any) -> str:
        knowledge_id = str(uuid4())
        base = KnowledgeBase(
            id=UUID(knowledge_id), name="k", description="", access="private", writable=True, file_count=1,
            created_at=datetime.now(UTC),
            updated_at=datetime.now(UTC),
        )  # fmt: skip
        self.knowledge[knowledge_id] = {"owner": str(user.principal.user_id), **base.model_dump(mode="json")}
        return knowledge_id

    def add_passage(self, file_id: str, text: str, *, page: int | None = 1) -> None:
        filename = self.files[file_id]["filename"]
        passage = {
            "chunk_id": str(uuid4()),
            "text": text,
            "score": 0.5,
            "file_id": file_id,
            "filename": filename,
            "page": page,
        }
        self.passages.append({**passage, "heading": None, "start": 0, "end": len(text)})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raw = await read_body(receive)
        path, method = scope["path"], scope["method"]
        token = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
        caller = jwt.decode(token, options={"verify_signature": False})["act"]["sub"]
        self.asked.append(f"{method} {urlsplit(path).path}")
        body = json.loads(raw) if raw else {}
        if path.startswith("/api/v1/retrieval/"):
            await self._retrieval(path, body, caller, receive, send)
        elif path.endswith("/events"):
            await self._events(
                path.split("/")[-2], int(parse_qs(scope["query_string"].decode())["after"][0]), caller, send
            )
        else:
            await self._agent_calls(method, path, body, caller, send)

    async def _retrieval(self, path: str, body: dict[str, Any], caller: str, receive: Any, send: Any) -> None:
        if self.retrieval_away:
            await answer(send, 503, {"detail": "down", "code": "unavailable"})
            return
        if path.endswith("/search"):
            await self._search(SearchRequest.model_validate(body), caller, receive, send)
            return
        known = self.files if "/files/" in path else self.knowledge
        await self._object(known, path.rsplit("/", 1)[1], caller, send)

    async def _search(self, search: SearchRequest, caller: str, receive: Any, send: Any) -> None:
        """What was `found` by the words of the query (or the status of its refusal), else all passages."""
        self.searches.append(search.model_dump(mode="json"))
        if self.hold_searches is not None and await _left_before(self.hold_searches, receive):
            self.searches_left += 1
            return
        wanted = [(self.knowledge, str(object_id)) for object_id in search.knowledge_base_ids]
        wanted += [(self.files, str(object_id)) for object_id in search.file_ids]
        missing = [
            object_id for known, object_id in wanted if known.get(object_id, {}).get("owner") != caller
        ]
        found = self.found.get(search.query, self.passages)
        if missing:
            await answer(send, 404, {"detail": f"no {missing[0]}", "code": "file_not_found"})
        elif isinstance(found, int):
            await answer(send, found, {"detail": "refused", "code": "refused"})
        else:
            await answer(send, 200, {"data": found[: search.k]})

    async def _object(self, known: dict[str, dict[str, Any]], object_id: str, caller: str, send: Any) -> None:
        found = known.get(object_id)
        if found is None or found["owner"] != caller:
            await answer(send, 404, {"detail": "there is no such object", "code": "not_found"})
        else:
            await answer(send, 200, found)

    async def _agent_calls(
        self, method: str, path: str, body: dict[str, Any], caller: str, send: Any
    ) -> None:
        run = self.runs.get(path.split("/")[-2] if path.endswith("/cancel") else path.rsplit("/", 1)[1])
        if self.agents_away:
            await answer(send, 503, {"detail": "down", "code": "unavailable"})
        elif (method, path) == ("POST", "/internal/v1/runs"):
            await self._start(body, caller, send)
        elif "/runs/" not in path:
            await self._object(self.agents, path.rsplit("/", 1)[1], caller, send)
        elif run is None or run.owner != caller:
            await answer(send, 404, {"detail": "there is no such run", "code": "run_not_found"})
        elif method == "DELETE":
            await self._delete(path.rsplit("/", 1)[1], send)
        elif path.endswith("/cancel"):
            self.cancels.append(path.split("/")[-2])
            run.cancelled.set()
            await answer(send, 202, {})
        else:
            await answer(send, 200, _run_view(run))

    async def _delete(self, run_id: str, send: Any) -> None:
        if self.refuse_deletions is not None:
            await answer(send, self.refuse_deletions, {"detail": "no", "code": "no"})
            return
        self.deletions.append(run_id)
        self.runs.pop(run_id).cancelled.set()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, body: dict[str, Any], caller: str, send: Any) -> None:
        if self.refuse_start is not None:
            await answer(send, *self.refuse_start)
            return
        foreign = [
            object_id
            for object_id in body["file_ids"]
            if self.files.get(object_id, {}).get("owner") != caller
        ]
        if foreign:
            await answer(send, 404, {"detail": "there is no such file", "code": "file_not_found"})
            return
        run = self.runs.get(body["run_id"])
        if run is None:
            run = self.runs[body["run_id"]] = FakeRun(body, caller)
            self.starts.append(body)
            task = asyncio.ensure_future(self.script(run))
            self._playing.add(task)
            task.add_done_callback(self._playing.discard)
        await answer(send, 201, _run_view(run))

    async def _events(self, run_id: str, after: int, caller: str, send: Any) -> None:
        run = self.runs.get(run_id)
        if self.agents_away or run is None or run.owner != caller:
            status = 503 if self.agents_away else 404
            await answer(send, status, {"detail": "no run", "code": "run_not_found"})
            return
        self.followed.append(after)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        sent = after
        with contextlib.suppress(ConnectionError, OSError):
            while not (run.ended and sent >= len(run.events)):
                changed = run.changed
                while sent < len(run.events):
                    if self.break_after is not None and sent >= self.break_after:
                        self.break_after = None
                        await send({"type": "http.response.body", "body": b""})
                        return
                    sent += 1
                    if sent == self.skip_once:
                        self.skip_once = None
                        continue
                    event, data = run.events[sent - 1]
                    frame = f"id: {sent}\nevent: {event}\ndata: {json.dumps(data)}\n\n".encode()
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
                if self.agents_away:
                    break
                if not run.ended:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), 0.1)
            await send({"type": "http.response.body", "body": b""})


async def _left_before(event: asyncio.Event, receive: Any) -> bool:
    """Whether the caller went away before `event`."""
    gone, held = asyncio.ensure_future(receive()), asyncio.ensure_future(event.wait())
    await asyncio.wait({gone, held}, return_when=asyncio.FIRST_COMPLETED)
    left = not held.done()
    for wait in (gone, held):
        wait.cancel()
    return left


def _run_view(run: FakeRun) -> dict[str, Any]:
    return {
        "id": run.body["run_id"], "agent_id": run.body["agent_id"], "agent_name": "Helper", "model": "m",
        "input": "", "output": "",
        "status": "complete" if run.ended else "running", "usage": run.usage,
        "last_event_id": len(run.events), "created_at": NOW,
        "ended_at": NOW if run.ended else None,
    }  # fmt: skip


async def answer(send: Any, status: int, body: dict[str, Any]) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def answers(
    *texts: str, gap_s: float = 0.0, until: asyncio.Event | None = None, status: str = "complete"
) -> Script:
    """One model step that writes `texts`; ends by itself, or as stopped when it is cancelled."""

    async def play(run: FakeRun) -> None:
        run.step(1)
        for text in texts:
            run.emit("delta", text=text)
            await asyncio.sleep(gap_s)
        if until is not None:
            waits = {asyncio.ensure_future(event.wait()) for event in (until, run.cancelled)}
            _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in pending:
                wait.cancel()
        run.finish("stopped" if run.cancelled.is_set() else status)

    return play


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_others() -> AsyncGenerator[tuple[FakeOthers, str]]:
    fake = FakeOthers()
    async with serve(fake, lifespan="off") as base_url:
        yield fake, base_url


@pytest.fixture
def others(served_others: tuple[FakeOthers, str]) -> FakeOthers:
    """The fake, with nothing left of the test before."""
    fake, _ = served_others
    fake.__init__()
    return fake


@pytest.fixture(scope="module")
def settings_fields(settings_fields: dict[str, Any], served_others: tuple[FakeOthers, str]) -> dict[str, Any]:
    _, base_url = served_others
    return {**settings_fields, "agent_service_url": base_url, "retrieval_service_url": base_url}


@pytest.fixture
def script() -> Any:
    """What a test lets a run do."""

    class Scripts:
        answers = staticmethod(answers)
        usage = RUN_USAGE

    return Scripts
