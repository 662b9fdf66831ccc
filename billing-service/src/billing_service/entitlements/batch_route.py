"""POST /internal/v1/reservations/batch: many calls of a dispatcher at once, each granted or refused alone."""

import time
from collections.abc import Awaitable, Coroutine
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
from shared.outages import answer_to
from shared.telemetry import RequestTrace, Telemetry

from billing_service.entitlements.service import EntitlementService

_Entry = ReserveEntry | SettleEntry | ReleaseEntry
_ENTRY: TypeAdapter[_Entry] = TypeAdapter(BatchEntry)
_ROUTES = {
    "reserve": "/internal/v1/reservations",
    "settle": "/internal/v1/reservations/{request_id}/settle",
    "release": "/internal/v1/reservations/{request_id}/release",
}
_UNREAD = "/internal/v1/reservations/batch"


def invalid(error: ValidationError) -> Invalid:
    """What a body that is not of the contract is refused with, naming its first fields."""
    problems = [
        {"field": ".".join(map(str, item["loc"])), "code": item["type"], "detail": item["msg"]}
        for item in error.errors(include_url=False, include_input=False, include_context=False)[:20]
    ]
    return Invalid(f"{problems[0]['field'] or 'body'}: {problems[0]['detail']}", errors=problems)


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
    """All entries are queued before the first is awaited, so that they share a transaction."""
    entries = (await request.json_object(BATCH_BYTES_MAX)).get("entries")
    if not isinstance(entries, list) or not 1 <= len(cast("list[object]", entries)) <= BATCH_ENTRIES_MAX:
        raise Invalid(f"entries must be a list of 1 to {BATCH_ENTRIES_MAX} calls")
    calls = [_begin(request, entry) for entry in cast("list[object]", entries)]
    answers = [await _end(request, call) for call in calls]
    request_id_var.set(request.request_id)
    await request.send_json(200, {"answers": answers})


def _begin(request: HotRequest, raw: object) -> _Call:
    try:
        entry = _ENTRY.validate_python(raw)
    except ValidationError as error:
        return _Call(_UNREAD, request.request_id, error=invalid(error))
    call = _Call(_ROUTES[entry.action], entry.request_id or request.request_id)
    if entry.traceparent is not None:
        call.trace = cast("Telemetry", request.state.telemetry).start("POST", entry.traceparent.encode())
    try:
        call.work = _work(request, entry)
    except AppError as error:
        call.error = error
    return call


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
    """The entry's BatchAnswer, its access line and its span: as if it had come alone."""
    request_id_var.set(call.request_id)
    error = call.error
    answer: dict[str, Any] = {}
    if call.work is not None:
        try:
            answer = {"status": 200, "body": (await call.work).__dict__}
        except AppError as refused:
            error = refused
        except Exception as failed:  # noqa: BLE001 - the edge of this entry: its neighbours are answered all the same
            error = answer_to(failed, call.route)
    if error is not None:
        answer = {
            "status": error.status,
            "body": problem_body(error, request_id=call.request_id, instance=call.route),
        }
    if call.trace is not None:
        call.trace.annotate({"http.route": call.route, "http.response.status_code": answer["status"]})
        call.trace.end(failed=answer["status"] >= 500)
    cast("AccessLog", request.state.access_log).write(
        request_id=call.request_id,
        method="POST",
        route=call.route,
        status=answer["status"],
        duration_s=time.perf_counter() - call.began_s,
    )
    return answer
