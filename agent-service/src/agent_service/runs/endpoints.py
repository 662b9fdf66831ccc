"""HTTP of runs."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from shared.auth.guards import current_principal, require, require_service
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.agents import ApprovalDecision, InternalRunCreate, Run, RunCreate, RunEvent, RunStep
from shared.idempotency import IdempotencyKey, KeyedWrite
from shared.pagination import After, Limit, Page
from shared.streams import DocumentedEvents, EventStream, SeenEventId

from agent_service.events.follow import RunStreams
from agent_service.runs.dependencies import RunsDep, SettingsDep, StreamsDep
from agent_service.runs.disposition import file_headers
from agent_service.runs.errors import Draining
from agent_service.runs.service import RunService
from agent_service.settings import AgentSettings

Reader = Annotated[Principal, Depends(require(Permission.AGENTS_READ))]
Runner = Annotated[Principal, Depends(require(Permission.AGENTS_RUN))]
Owner = Annotated[Principal, Depends(current_principal)]
"""Whatever the role: what is one's own can always be removed."""
Chat = Annotated[Principal, Depends(require_service("chat-service"))]

_RUN_ID_HEADER = "x-atrium-run-id"
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the finished run, or with `Accept: text/event-stream` its events",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/RunEvent"}}},
        "headers": {
            _RUN_ID_HEADER: {"description": "id of the run", "schema": {"type": "string", "format": "uuid"}}
        },
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "the file", "content": {"application/octet-stream": {}}}
}
CallId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]

router = APIRouter(prefix="/api/v1/agents", tags=["runs"])
internal_router = APIRouter(prefix="/internal/v1", tags=["internal"])


class _RunAnswers:
    """How a run is answered: as events, or as it is when it has ended."""

    def __init__(
        self, runs: RunService, streams: RunStreams, settings: AgentSettings, *, wants_events: bool
    ) -> None:
        self._wants_events = wants_events
        self._runs = runs
        self._streams = streams
        self._settings = settings

    async def of_new_run(
        self, principal: Principal, start: Callable[[], Awaitable[UUID]], response: Response
    ) -> Response | Run:
        """The place among the person's streams is taken first: a run that nobody may follow does
        not begin.
        """
        self._streams.open.enter(principal)
        is_left = False
        try:
            run_id = await start()
            if self._wants_events:
                is_left = True  # by the stream, at its end
                return self._events(principal, run_id, 0)
            response.headers[_RUN_ID_HEADER] = str(run_id)
            await self._until_ended(run_id)
            return await self._runs.read(principal, run_id)
        finally:
            if not is_left:
                self._streams.open.leave(principal)

    async def _until_ended(self, run_id: UUID) -> None:
        try:
            async with asyncio.timeout(self._settings.run_wait_max_s):
                async for _ in self._streams.follow(run_id, 0):
                    pass
        except TimeoutError:
            pass  # the run continues; the answer says how far it is

    def stream(self, principal: Principal, run_id: UUID, after: int) -> EventStream:
        if self._streams.closing:
            raise Draining  # a stream that begins now would end without an event
        self._streams.open.enter(principal)
        return self._events(principal, run_id, after)

    def _events(self, principal: Principal, run_id: UUID, after: int) -> EventStream:
        return EventStream(
            self._streams.follow(run_id, after),
            headers={_RUN_ID_HEADER: str(run_id)},
            write_timeout_s=self._settings.stream_write_timeout_s,
            on_close=lambda: self._streams.open.leave(principal),
        )


# async: FastAPI would build a class in a thread, on every request.
async def _answers(
    request: Request, runs: RunsDep, streams: StreamsDep, settings: SettingsDep
) -> _RunAnswers:
    return _RunAnswers(
        runs, streams, settings, wants_events="text/event-stream" in request.headers.get("accept", "")
    )


Answers = Annotated[_RunAnswers, Depends(_answers)]


@router.post("/{agent_id}/runs", summary="Let an agent work", response_model=Run, responses=_EVENTS)
async def start_run(
    agent_id: UUID,
    body: RunCreate,
    request: Request,
    response: Response,
    principal: Runner,
    answers: Answers,
    runs: RunsDep,
    key: IdempotencyKey = None,
) -> Any:
    write = KeyedWrite.of(key, body, principal=principal.actor_id, route=request.url.path)
    return await answers.of_new_run(
        principal, partial(runs.start, principal, agent_id, body, write=write), response
    )


@internal_router.post("/runs", summary="Chat begins a run under the id of a reply; safe to repeat")
async def start_run_of_chat(body: InternalRunCreate, principal: Chat, runs: RunsDep) -> Run:
    principal.require(Permission.AGENTS_RUN)
    return await runs.start_named(principal, body)


@router.get("/runs", summary="Your runs, the newest first, without their steps")
async def list_runs(
    principal: Reader,
    runs: RunsDep,
    limit: Limit = 50,
    after: After = None,
    agent_id: Annotated[UUID | None, Query(description="only runs of this agent")] = None,
) -> Page[Run]:
    return await runs.list_page(principal, agent_id=agent_id, after=after, limit=limit)


@router.get("/runs/{run_id}", summary="One run with its steps")
async def read_run(run_id: UUID, principal: Reader, runs: RunsDep) -> Run:
    return await runs.read(principal, run_id)


@router.delete(
    "/runs/{run_id}",
    summary="Delete a run with its steps, events and files; one under way is ended",
    status_code=204,
)
async def delete_run(run_id: UUID, principal: Owner, runs: RunsDep) -> None:
    await runs.delete(principal, run_id)


@router.get(
    "/runs/{run_id}/events",
    summary="The events of a run, from any event id",
    response_class=DocumentedEvents,
    response_model=RunEvent,
)
async def stream_events(
    run_id: UUID,
    principal: Reader,
    answers: Answers,
    runs: RunsDep,
    seen: SeenEventId,
) -> Any:
    await runs.authorise(principal, run_id)
    return answers.stream(principal, run_id, seen)


@router.post("/runs/{run_id}/cancel", summary="Stop a run; what it wrote is kept")
async def cancel_run(run_id: UUID, principal: Runner, runs: RunsDep) -> Run:
    return await runs.cancel(principal, run_id)


@router.get(
    "/runs/{run_id}/approvals/{call_id}",
    summary="A tool call that needs a person's word, and what became of it",
)
async def read_call(run_id: UUID, call_id: CallId, principal: Reader, runs: RunsDep) -> RunStep:
    return await runs.call(principal, run_id, call_id)


@router.post("/runs/{run_id}/approvals/{call_id}", summary="Allow a tool call, or not")
async def decide(
    run_id: UUID, call_id: CallId, body: ApprovalDecision, principal: Runner, runs: RunsDep
) -> RunStep:
    return await runs.decide(principal, run_id, call_id, decision=body.decision)


@router.get(
    "/runs/{run_id}/files/{file_id}",
    summary="A file that a tool of the run made",
    response_class=Response,
    responses=_FILE,
)
async def read_file(run_id: UUID, file_id: UUID, principal: Reader, runs: RunsDep) -> Response:
    file = await runs.file(principal, run_id, file_id)
    return Response(file.content, headers=file_headers(file.name, file.content_type))
