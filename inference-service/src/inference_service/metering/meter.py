"""Every dispatch to a provider passes here: held before, settled or released after, exactly once, whatever
breaks in between.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import orjson
from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.clients.billing import BillingClient, BillingUnavailable
from shared.clock import utc_now
from shared.contracts.billing import HOLDS_PER_CHECKPOINT_MAX, TOKENS_MAX
from shared.errors import AppError, NotFound, TooManyRequests
from shared.http import UpstreamDisconnected
from shared.ids import uuid7

from inference_service.metering.free_use import FreeUse
from inference_service.metering.repository import Pending, SettlementQueue
from inference_service.metering.usage import Outcome, Source, Usage

log = logging.getLogger(__name__)

_UNWRITTEN_MAX = 10_000
# Long enough that a short answer is settled first and needs no call of its own.
_BEGIN_BATCH_S = 0.015
_REASON_CHARS_MAX = 200
_OVERTAKEN_S = 1.0
_QUEUE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Bound:
    """The most a dispatch can use. `output_tokens_max` is per choice; `input_tokens_floor` is charged when
    its end is never heard of.
    """

    model: str
    provider: str
    kind: Literal["chat", "embedding"]
    input_tokens_max: int
    output_tokens_max: int
    input_tokens_floor: int
    choices: int = 1


@dataclass(frozen=True, slots=True)
class Charge:
    """What a settlement answered; None while billing has not taken it yet."""

    cost_nano: int | None
    remaining_nano: int | None


@dataclass(slots=True, eq=False)
class Dispatch:
    """One hold and the request it pays for. `output_tokens` grows while the answer streams and is
    checkpointed each second.

    `begun`: bytes may have left for the provider. A hold that billing never heard begun expires free.
    `ended`: its settlement is on its way.
    """

    id: UUID
    output_tokens_granted: int
    traceparent: bytes | None = None
    output_tokens: int = 0
    begun: bool = False
    ended: bool = False
    person: UUID | None = None
    free: bool = False
    started_at: datetime = field(default_factory=utc_now)
    started_s: float = field(default_factory=time.monotonic)

    def latency_ms(self) -> int:
        return round((time.monotonic() - self.started_s) * 1000)


class Meter:
    """Knows all live dispatches of the process."""

    def __init__(
        self, billing: BillingClient, queue: SettlementQueue, tasks: TaskTracker, free_use: FreeUse
    ) -> None:
        self.live: dict[UUID, Dispatch] = {}
        self.unwritten: deque[Pending] = deque(maxlen=_UNWRITTEN_MAX)
        self._billing = billing
        self._queue = queue
        self._tasks = tasks
        self._free_use = free_use
        self._free_reserving: list[UUID | None] = []
        self._beginning: list[Dispatch] = []

    async def reserve(
        self,
        principal: Principal,
        bound: Bound,
        *,
        traceparent: bytes | None = None,
        dispatch_id: UUID | None = None,
    ) -> Dispatch:
        """Hold the most this dispatch can cost. `dispatch_id`: a new id that the caller knows already.

        Raises: AppError as billing refused it, or BillingUnavailable: closed, never open; TooManyRequests
        beyond what one person may use for nothing.
        """
        known_free = bound.kind == "chat" and self._free_use.knows(bound.model)
        if known_free:
            self._free_use.take(principal.user_id, self._free_running())
            self._free_reserving.append(principal.user_id)
        try:
            given_id, answer = await self._reserve_twice(
                principal, bound, traceparent, dispatch_id or uuid7()
            )
        except AppError:
            if known_free:
                self._free_use.give_back(principal.user_id)
            raise
        finally:
            if known_free:
                self._free_reserving.remove(principal.user_id)
        dispatch = Dispatch(given_id, int(answer["granted_output_tokens"]), traceparent)
        dispatch.person, dispatch.free = principal.user_id, bound.kind == "chat" and bool(answer.get("free"))
        if bound.kind == "chat":
            self._free_use.learn(bound.model, free=dispatch.free)
        if dispatch.free and not known_free:
            await self._take_or_release(dispatch)
        self.live[dispatch.id] = dispatch
        return dispatch

    async def _reserve_twice(
        self, principal: Principal, bound: Bound, traceparent: bytes | None, first_id: UUID
    ) -> tuple[UUID, dict[str, Any]]:
        """The id of the hold and what billing answered."""
        try:
            return first_id, await self._reserve_once(principal, bound, traceparent, first_id)
        except BillingUnavailable as error:
            # A kept connection that billing's restart closed: the next one is new.
            if not isinstance(error.__cause__, UpstreamDisconnected):
                raise
            second_id = uuid7()
            return second_id, await self._reserve_once(principal, bound, traceparent, second_id)

    def _free_running(self) -> list[UUID | None]:
        return self._free_reserving + [dispatch.person for dispatch in self.live.values() if dispatch.free]

    async def _take_or_release(self, dispatch: Dispatch) -> None:
        """Raises: TooManyRequests, when the hold has been given back."""
        try:
            self._free_use.take(dispatch.person, self._free_running())
        except TooManyRequests as error:
            await self._release(dispatch.id, error.code)
            raise

    def begin(self, dispatch: Dispatch) -> None:
        """Right before bytes leave: billing hears of it within 20 ms, in one call with others, and nobody
        waits for that.
        """
        dispatch.begun = True
        self._beginning.append(dispatch)
        if len(self._beginning) == 1:
            self._tasks.spawn(self._tell_begun(), "begin of dispatches")

    async def _tell_begun(self) -> None:
        try:
            await asyncio.sleep(_BEGIN_BATCH_S)
        finally:
            begun, self._beginning = self._beginning, []
        # A settlement says more than its begin.
        holds = {
            dispatch.id: dispatch.output_tokens
            for dispatch in begun
            if dispatch.id in self.live and not dispatch.ended
        }
        ids = list(holds)
        for start in range(0, len(ids), HOLDS_PER_CHECKPOINT_MAX):
            try:
                await self._billing.checkpoint(
                    {each: holds[each] for each in ids[start : start + HOLDS_PER_CHECKPOINT_MAX]}
                )
            except AppError as error:
                # The checkpoint of each second says it again.
                log.warning(
                    "the begin of dispatches was not told",
                    extra={"holds": len(holds), "detail": error.detail},
                )

    async def settle(
        self,
        dispatch: Dispatch,
        usage: Usage,
        *,
        source: Source,
        outcome: Outcome,
        figures: Mapping[str, Any] | None = None,
    ) -> Charge:
        """Charge what was used. Never fails: what billing cannot take now is in the queue when this returns.

        `figures` are those of `provider_figures`.
        """
        dispatch.ended = True
        body = {
            "usage": usage.to_wire(),
            "source": source.value,
            "outcome": outcome.value,
            "occurred_at": dispatch.started_at,
            "latency_ms": dispatch.latency_ms(),
            **(figures or {}),
        }
        try:
            answer = await self._billing.settle(dispatch.id, body, traceparent=dispatch.traceparent)
        except AppError as error:
            log.warning("settlement queued", extra={"dispatch_id": str(dispatch.id), "detail": error.detail})
            await self._enqueue(Pending(dispatch.id, "settle", orjson.dumps(body).decode()))
            return Charge(None, None)
        finally:
            self.live.pop(dispatch.id, None)
        return Charge(int(answer["cost_nano"]), answer["remaining_nano"])

    async def release(self, dispatch: Dispatch, reason: str) -> None:
        """Give the hold back: nothing of it was used. Never fails, as `settle`."""
        self.live.pop(dispatch.id, None)
        await self._release(dispatch.id, reason)

    async def _reserve_once(
        self, principal: Principal, bound: Bound, traceparent: bytes | None, dispatch_id: UUID
    ) -> dict[str, Any]:
        try:
            return await self._billing.reserve(
                _reservation(dispatch_id, principal, bound), traceparent=traceparent
            )
        except asyncio.CancelledError:
            await self._release(dispatch_id, "cancelled while reserving", may_come_yet=True)
            raise
        except BillingUnavailable:
            # The hold may exist although its answer was lost; unused, it must not be charged when it expires.
            self._tasks.spawn(
                self._release(dispatch_id, "reservation not answered", may_come_yet=True),
                "release of an unanswered reservation",
            )
            raise

    async def _release(self, dispatch_id: UUID, reason: str, *, may_come_yet: bool = False) -> None:
        """`may_come_yet`: the reserve may still be on its way, on another connection than the release."""
        try:
            await self._billing.release(dispatch_id, reason=reason[:_REASON_CHARS_MAX])
        except NotFound:
            if may_come_yet:
                self._tasks.spawn(self._release_later(dispatch_id, reason), "release once more")
        except AppError:
            await self._enqueue(
                Pending(dispatch_id, "release", orjson.dumps({"reason": reason[:_REASON_CHARS_MAX]}).decode())
            )

    async def _release_later(self, dispatch_id: UUID, reason: str) -> None:
        await asyncio.sleep(_OVERTAKEN_S)
        await self._release(dispatch_id, reason)

    async def _enqueue(self, entry: Pending) -> None:
        try:
            await self._queue.enqueue(entry)
        except _QUEUE_ERRORS as error:
            # Both stores are away. Kept in memory and written as soon as one is back; the hold's checkpoint
            # covers a crash.
            log.exception(
                "settlement kept in memory only",
                exc_info=error,
                extra={"dispatch_id": str(entry.dispatch_id)},
            )
            self.unwritten.append(entry)


def _reservation(dispatch_id: UUID, principal: Principal, bound: Bound) -> Mapping[str, Any]:
    return {
        "request_id": dispatch_id,
        "principal": {
            "user_id": principal.user_id,
            "organisation_id": principal.organisation_id,
            "team_id": principal.team_id,
            "key_id": principal.key_id,
            "models": principal.models,
            "role": principal.role.value,
        },
        "model": bound.model,
        "provider": bound.provider,
        "kind": bound.kind,
        "input_tokens_max": min(bound.input_tokens_max, TOKENS_MAX),
        "input_tokens_floor": min(bound.input_tokens_floor, TOKENS_MAX),
        "output_tokens_max": min(bound.output_tokens_max, TOKENS_MAX),
        "n": bound.choices,
    }
