"""The internal routes of the money path, without FastAPI: parse, call, answer."""

from typing import TypeVar, cast
from uuid import UUID

from pydantic import BaseModel, ValidationError
from shared.contracts.billing import (
    Batch,
    BatchAnswers,
    Checkpoint,
    CheckpointRequest,
    RecordedUsage,
    Release,
    ReleaseRequest,
    Reservation,
    ReserveRequest,
    Settlement,
    SettleRequest,
)
from shared.errors import Invalid
from shared.hotroutes import HotRequest, HotRoute

from billing_service.entitlements.batch_route import batch, invalid
from billing_service.entitlements.service import EntitlementService

_BODY_BYTES_MAX = 64 * 1024
_CHECKPOINT_BYTES_MAX = 256 * 1024
_DISPATCHERS = frozenset({"inference-service"})
_READERS = frozenset({"inference-service", "chat-service", "agent-service"})

M = TypeVar("M", bound=BaseModel)


def _service(request: HotRequest) -> EntitlementService:
    return cast("EntitlementService", request.state.entitlements)


async def _parse(request: HotRequest, model: type[M], size_max: int = _BODY_BYTES_MAX) -> M:
    """Raises: PayloadTooLarge, Invalid naming the first fields."""
    body = await request.body(size_max)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def _dispatch_id(request: HotRequest) -> UUID:
    """Raises: Invalid."""
    try:
        return UUID(request.path_params["request_id"])
    except ValueError:
        raise Invalid("request_id in the path must be a UUID") from None


async def reserve(request: HotRequest) -> None:
    reservation = await _service(request).reserve(await _parse(request, ReserveRequest))
    await request.send_json(200, reservation.__dict__)


async def settle(request: HotRequest) -> None:
    dispatch_id = _dispatch_id(request)
    settlement = await _service(request).settle(dispatch_id, await _parse(request, SettleRequest))
    await request.send_json(200, settlement.__dict__)


async def release(request: HotRequest) -> None:
    dispatch_id = _dispatch_id(request)
    await _parse(request, ReleaseRequest)
    await request.send_json(200, (await _service(request).release(dispatch_id)).__dict__)


async def checkpoint(request: HotRequest) -> None:
    progress = await _parse(request, CheckpointRequest, _CHECKPOINT_BYTES_MAX)
    await request.send_json(200, (await _service(request).checkpoint(progress.holds)).__dict__)


async def usage(request: HotRequest) -> None:
    await request.send_json(200, (await _service(request).usage(_dispatch_id(request))).__dict__)


HOT_ROUTES = (
    HotRoute(
        "POST",
        "/internal/v1/reservations",
        reserve,
        "Hold the most a dispatch can cost",
        services=_DISPATCHERS,
        request_model=ReserveRequest,
        response_model=Reservation,
    ),
    HotRoute(
        "POST",
        "/internal/v1/reservations/batch",
        batch,
        "Many reserves, settlements and releases, each answered alone",
        services=_DISPATCHERS,
        request_model=Batch,
        response_model=BatchAnswers,
    ),
    HotRoute(
        "POST",
        "/internal/v1/reservations/checkpoint",
        checkpoint,
        "Renew the holds of running streams",
        services=_DISPATCHERS,
        request_model=CheckpointRequest,
        response_model=Checkpoint,
    ),
    HotRoute(
        "POST",
        "/internal/v1/reservations/{request_id}/settle",
        settle,
        "Charge what a dispatch used",
        services=_DISPATCHERS,
        request_model=SettleRequest,
        response_model=Settlement,
    ),
    HotRoute(
        "POST",
        "/internal/v1/reservations/{request_id}/release",
        release,
        "Give back a hold that was never dispatched",
        services=_DISPATCHERS,
        request_model=ReleaseRequest,
        response_model=Release,
    ),
    HotRoute(
        "GET",
        "/internal/v1/usage/{request_id}",
        usage,
        "What became of a dispatch",
        services=_READERS,
        response_model=RecordedUsage,
    ),
)
