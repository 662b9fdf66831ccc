"""Periodic work of metering: renew the holds of live dispatches, deliver what billing could not take."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from prometheus_client import Counter
from shared.clients.billing import BillingClient, BillingUnavailable
from shared.contracts.billing import HOLDS_PER_CHECKPOINT_MAX
from shared.errors import AppError, NotFound

from inference_service.metering.meter import Meter
from inference_service.metering.repository import Action, Pending, SettlementQueue

log = logging.getLogger(__name__)

DELIVERY_INTERVAL_S = 1.0
_ROWS_MAX = 50
# Longer than a delivery can take (they run side by side), and no longer: a killed process holds its rows back
# for this time.
_LEASE = timedelta(seconds=20)
_PAUSE_FIRST_S = 1
_PAUSE_MAX_S = 300


class Checkpointer:
    """One call a second for all live dispatches of the process keeps their holds alive."""

    def __init__(self, billing: BillingClient, meter: Meter) -> None:
        self._billing = billing
        self._meter = meter

    async def run(self) -> None:
        holds = {
            dispatch.id: dispatch.output_tokens for dispatch in self._meter.live.values() if dispatch.begun
        }
        ids = list(holds)
        for start in range(0, len(ids), HOLDS_PER_CHECKPOINT_MAX):
            await self._renew(
                {
                    dispatch_id: holds[dispatch_id]
                    for dispatch_id in ids[start : start + HOLDS_PER_CHECKPOINT_MAX]
                }
            )

    async def _renew(self, holds: Mapping[UUID, int]) -> None:
        try:
            answer = await self._billing.checkpoint(holds)
        except AppError as error:
            log.warning("checkpoint failed", extra={"holds": len(holds), "detail": error.detail})
            return
        lost = [
            dispatch_id
            for dispatch_id in map(UUID, answer.get("lost", ()))
            if dispatch_id in self._meter.live
        ]
        if lost:
            # Their streams go on: the late settlement is capped at what was held, the rest is the house's
            # loss.
            log.warning(
                "holds expired under live dispatches",
                extra={"dispatch_ids": [str(dispatch_id) for dispatch_id in lost]},
            )


class Delivery:
    """Takes due rows of the queue to billing, oldest first, with a growing pause after each failure."""

    def __init__(
        self, billing: BillingClient, meter: Meter, queue: SettlementQueue, *, refusals: Counter
    ) -> None:
        self._meter = meter
        self._queue = queue
        self._refusals = refusals
        self._send: Mapping[Action, Callable[[UUID, dict[str, Any]], Awaitable[object]]] = {
            "settle": billing.settle,
            "release": lambda dispatch_id, body: billing.release(dispatch_id, reason=body["reason"]),
        }

    async def run(self) -> None:
        try:
            await self._write_down()
            entries = await self._queue.claim(rows_max=_ROWS_MAX, lease=_LEASE)
            await asyncio.gather(*(self._deliver(entry) for entry in entries))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("the settlement queue cannot be read", extra={"detail": type(error).__name__})

    async def _write_down(self) -> None:
        while self._meter.unwritten:
            await self._queue.enqueue(self._meter.unwritten[0])
            self._meter.unwritten.popleft()

    async def _deliver(self, entry: Pending) -> None:
        try:
            await self._send[entry.action](entry.dispatch_id, orjson.loads(entry.body))
        except BillingUnavailable:
            pause_s = min(_PAUSE_FIRST_S * 2 ** min(entry.attempts - 1, 16), _PAUSE_MAX_S)
            await self._queue.later(entry.dispatch_id, timedelta(seconds=pause_s))
        except NotFound as error:
            await self._unknown(entry, error)
        except AppError as error:
            await self._refused(entry, error)
        else:
            await self._queue.done(entry.dispatch_id)

    async def _unknown(self, entry: Pending, error: NotFound) -> None:
        """Nothing to release is as good as released; a settlement without a hold is an operator's
        business.
        """
        if entry.action == "release":
            await self._queue.done(entry.dispatch_id)
        else:
            await self._refused(entry, error)

    async def _refused(self, entry: Pending, error: AppError) -> None:
        """Any refusal is final: billing does not change its mind, so an operator must look."""
        self._refusals.inc()
        reason = error.operator_detail or error.detail
        log.error(
            "billing refuses a queued settlement",
            extra={"dispatch_id": str(entry.dispatch_id), "detail": reason, "code": error.code},
        )
        await self._queue.refuse(entry.dispatch_id, reason)
