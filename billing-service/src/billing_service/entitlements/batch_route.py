"""POST /internal/v1/reservations/batch: many calls of a dispatcher at once, each granted or refused alone."""

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from shared.background import TaskTracker
from shared.contracts.billing import (
    BATCH_BYTES_MAX,
    BATCH_ENTRIES_MAX,
    BatchEntry,
    ReleaseEntry,
    ReserveEntry,
    SettleEntry,
)
from shared.errors import AppError, Invalid, problem_body
from shared.hotroutes import HotRequest
from shared.logs import AccessLog, request_id_var
from shared.metrics import Metrics
from shared.outages import answer_to
from shared.telemetry import RequestTrace, Telemetry

from billing_service.entitlements.errors import Undecided
from billing_service.entitlements.service import EntitlementService

_Entry = ReserveEntry | SettleEntry | ReleaseEntry
_ENTRY: TypeAdapter[_Entry] = TypeAdapter(BatchEntry)
_ROUTES = {
    "reserve": "/internal/v1/reservations",
    "settle": "/internal/v1/reservations/{request_id}/settle",
    "release": "/internal/v1/reservations/{request_id}/release",
}
_UNREAD = "/internal/v1/reservations/batch"
_TOGETHER_S_MAX = 1.0
_LATE_S_MAX = 0.05


def invalid(error: ValidationError, *, below: tuple[str, ...] = ()) -> Invalid:
    """What a body that is not of the contract is refused with: its first fields, as seen from `below`."""
    problems = [
        {"field": _field(item["loc"], below), "code": item["type"], "detail": item["msg"]}
        for item in error.errors(include_url=False, include_input=False, include_context=False)[:20]
    ]
    return Invalid(f"{problems[0]['field'] or 'body'}: {problems[0]['detail']}", errors=problems)


def _field(place: tuple[int | str, ...], below: tuple[str, ...]) -> str:
    own = place[len(below) :] if place[: len(below)] == below else place
    return ".".join(map(str, own))


@dataclass(slots=True)
class _Call:
    """An entry under way: `work` gives its answer unless `error` is it already."""

    route: str
    request_id: str
    trace: RequestTrace | None = None
    work: Awaitable[BaseModel] | None = None
    error: AppError | None = None
    began_s: float = field(default_factory=time.perf_counter)


async def batch(request: HotRequest) -> None:
    """All entries are queued before the first is awaited, so that they share a transaction.

    One that is not decided within a second is answered 503 with the code `undecided`, for the caller to ask
    for alone: an organisation whose wallet is locked does not keep the others waiting.
    """
    entries = (await request.json_object(BATCH_BYTES_MAX)).get("entries")
    if not isinstance(entries, list) or not 1 <= len(cast("list[object]", entries)) <= BATCH_ENTRIES_MAX:
        raise Invalid(f"entries must be a list of 1 to {BATCH_ENTRIES_MAX} calls")
    calls = [_begin(request, entry) for entry in cast("list[object]", entries)]
    answers: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(_TOGETHER_S_MAX):
            for call in calls:
                answers.append(await _end(request, call))  # noqa: PERF401 - those before the time-out are kept
    except TimeoutError:
        answers += await _end_late(request, calls[len(answers) :])
    request_id_var.set(request.request_id)
    await request.send_json(200, {"answers": answers})


def _begin(request: HotRequest, raw: object) -> _Call:
    try:
        entry = _ENTRY.validate_python(raw)
    except ValidationError as error:
        return _unread(request, raw, error)
    call = _Call(_ROUTES[entry.action], entry.request_id or request.request_id)
    if entry.traceparent is not None:
        call.trace = cast("Telemetry", request.state.telemetry).start("POST", entry.traceparent.encode())
    try:
        call.work = _work(request, entry)
    except AppError as error:
        call.error = error
    return call


def _unread(request: HotRequest, raw: object, error: ValidationError) -> _Call:
    """Refused as by its own route, as far as can be told which that is."""
    members = cast("dict[str, object]", raw) if isinstance(raw, dict) else {}
    action, request_id = members.get("action"), members.get("request_id")
    below = (action, "body") if isinstance(action, str) else ()
    known = isinstance(request_id, str) and not any("request_id" in item["loc"] for item in error.errors())
    return _Call(
        _ROUTES.get(str(action), _UNREAD),
        cast("str", request_id) if known else request.request_id,
        error=invalid(error, below=below),
    )


def _work(request: HotRequest, entry: _Entry) -> Awaitable[BaseModel]:
    """Begins the call. Raises: AppError when it is refused at once."""
    service = cast("EntitlementService", request.state.entitlements)
    if isinstance(entry, ReserveEntry):
        return service.reserve(entry.body)
    if isinstance(entry, ReleaseEntry):
        return _in_a_task(request, service.release(entry.dispatch_id))
    settling = service.settle(entry.dispatch_id, entry.body)
    return settling if entry.body.provider_request_id is None else _in_a_task(request, settling)


def _in_a_task(request: HotRequest, work: Coroutine[Any, Any, BaseModel]) -> Awaitable[BaseModel]:
    """For what waits for more than the shared transaction: its neighbours do not wait for it."""
    return cast("TaskTracker", request.state.tasks).spawn(work, "entry of a batch", claimed=True)


async def _end(request: HotRequest, call: _Call) -> dict[str, Any]:
    """The entry's BatchAnswer, once it is decided."""
    request_id_var.set(call.request_id)
    error = call.error
    if call.work is not None:
        try:
            return _finish(request, call, 200, (await call.work).__dict__)
        except AppError as refused:
            error = refused
        # The edge of this entry: its neighbours are answered all the same.
        except Exception as failed:  # noqa: BLE001
            error = answer_to(failed, call.route)
    return _refuse(request, call, error or Undecided())


async def _end_late(request: HotRequest, calls: list[_Call]) -> list[dict[str, Any]]:
    """The answers of those that were decided in time, behind the first that was not."""
    request_id_var.set(calls[0].request_id)
    answers = [_refuse(request, calls[0], Undecided())]
    ends = [(call, asyncio.ensure_future(_end(request, call))) for call in calls[1:]]
    if ends:
        await asyncio.wait([end for _, end in ends], timeout=_LATE_S_MAX)
    for call, end in ends:
        if not end.done():
            end.cancel()
        request_id_var.set(call.request_id)
        answers.append(end.result() if end.done() else _refuse(request, call, Undecided()))
    return answers


def _refuse(request: HotRequest, call: _Call, error: AppError) -> dict[str, Any]:
    problem = problem_body(error, request_id=call.request_id, instance=call.route)
    return _finish(request, call, error.status, problem)


def _finish(request: HotRequest, call: _Call, status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """The BatchAnswer; its access line, span and metrics are as if the entry had come alone."""
    duration_s = time.perf_counter() - call.began_s
    if call.trace is not None:
        call.trace.annotate({"http.route": call.route, "http.response.status_code": status})
        call.trace.end(failed=status >= 500)
    cast("Metrics", request.state.metrics).observe_request("POST", call.route, status, duration_s)
    cast("AccessLog", request.state.access_log).write(
        request_id=call.request_id, method="POST", route=call.route, status=status, duration_s=duration_s
    )
    return {"status": status, "body": body}
