"""The turns of processes that died: a plain one ends with what its journal holds, a run is taken over and
continues.
"""

import logging
from dataclasses import replace
from uuid import UUID

from shared.clock import monotonic_s
from shared.db import Database
from shared.outages import is_outage
from shared.replies.stopping import end_reason_of
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.messages.service import ReplyEnding
from chat_service.recovery import repository
from chat_service.recovery.takeover import spec_of
from chat_service.settings import ChatSettings
from chat_service.streams import repository as journal_rows
from chat_service.streams.cursor import journal_events
from chat_service.streams.fold import fold
from chat_service.streams.live import Event, chunks_of
from chat_service.writing import repository as turn_rows
from chat_service.writing.closing import EVENT_ID_GAP, ended_for, last_events
from chat_service.writing.models import TurnKind, TurnRow
from chat_service.writing.repository import Asked
from chat_service.writing.runner import TurnRunner
from chat_service.writing.specs import TurnSpec

_BATCH_MAX = 100
_ASIDE_S = 60.0
HEARTBEATS_A_LEASE = 5
_SILENT_HEARTBEATS = 1.5
"""After so many heartbeats that did not come, an owner whose lock is free is dead."""

log = logging.getLogger(__name__)


class DatabaseSlowError(Exception):
    """A look took so long that owners may have failed to renew their leases for the same reason."""


class Sweeper:
    """Any number of processes run one. It sees a dead owner by its lock within seconds, one that hangs by its
    lease.

    A process never sweeps its own turns, of whatever kind: its heartbeat renews them, or finds that they are
    another's.
    """

    def __init__(self, database: Database, runner: TurnRunner, settings: ChatSettings) -> None:
        self._database = database
        self._runner = runner
        self._settings = settings
        self._lease_s = settings.turn_lease_s
        self._blind_until_s = 0.0
        self._set_aside: dict[UUID, float] = {}

    async def run(self) -> None:
        """See to every turn that nobody writes. After a database failure wait a lease: owners could not renew
        either.
        """
        if monotonic_s() < self._blind_until_s:
            return
        try:
            for _ in range(_BATCH_MAX):
                if not await self._sweep_one():
                    return
        except Exception:
            self._blind_until_s = monotonic_s() + self._lease_s
            raise

    async def _sweep_one(self) -> bool:
        kinds: list[TurnKind] = ["plain"] if self._runner.full else ["plain", "agent"]
        taken: tuple[TurnSpec, list[Event]] | None = None
        turn_id: UUID | None = None
        try:
            async with self._database.transaction() as session:
                turn = await self._orphan(session, kinds)
                if turn is None:
                    return False
                turn_id = turn.id
                if turn.kind == "agent":
                    taken = await self._take_over(session, turn)
                else:
                    await self._end(session, turn)
        except Exception as error:
            if turn_id is None or is_outage(error):
                raise
            # One turn that cannot be read must not keep those of everybody from being ended.
            log.exception(
                "a turn whose process died cannot be ended; it is looked at again later",
                extra={"turn_id": str(turn_id)},
            )
            self._set_aside[turn_id] = monotonic_s() + _ASIDE_S
            return True
        if taken is not None:
            spec, known = taken
            log.warning(
                "a run whose process died is followed again",
                extra={"turn_id": str(turn.id), "events": len(known)},
            )
            self._runner.resume(spec, known=known, asked=Asked(turn.stop_requested, turn.end_reason))
        return True

    async def _orphan(self, session: AsyncSession, kinds: list[TurnKind]) -> TurnRow | None:
        """Raises: DatabaseSlowError."""
        asked_at_s = monotonic_s()
        turn = await repository.lock_orphan(
            session,
            kinds=kinds,
            besides=[*self._runner.turn_ids, *self._aside()],
            lease_s=self._lease_s,
            silent_s=_SILENT_HEARTBEATS * self._lease_s / HEARTBEATS_A_LEASE,
        )
        if turn is not None and monotonic_s() - asked_at_s > self._lease_s / 2:
            raise DatabaseSlowError(
                "the look for dead owners took too long to trust; it is made again after a lease"
            )
        return turn

    def _aside(self) -> list[UUID]:
        """Turns that could not be ended a moment ago."""
        now_s = monotonic_s()
        self._set_aside = {
            turn_id: until_s for turn_id, until_s in self._set_aside.items() if until_s > now_s
        }
        return list(self._set_aside)

    async def _take_over(self, session: AsyncSession, turn: TurnRow) -> tuple[TurnSpec, list[Event]] | None:
        """The turn and what its journal has, now this process's; None when it cannot be taken over and was
        ended.
        """
        spec = await spec_of(session, turn, siblings_max=self._settings.siblings_max)
        if spec is None:
            await self._end(session, turn)
            return None
        await repository.take_over(session, turn_id=turn.id, owner=self._runner.owner, lease_s=self._lease_s)
        return spec, await journal_events(session, turn.id)

    async def _end(self, session: AsyncSession, turn: TurnRow) -> None:
        last_id = await journal_rows.last_id(session, turn_id=turn.id) or turn.first_event_id
        folded = fold(await journal_events(session, turn.id))
        ending = replace(
            _ending_of(turn),
            text=folded.text,
            reasoning=folded.reasoning,
            steps=folded.steps,
            citations=folded.citations,
            left_out=folded.left_out,
        )
        await turn_rows.end(
            session,
            turn_id=turn.id,
            owner=turn.owner,
            status=ending.status,
            dispatch_id=turn.dispatch_id,
            tokens_known=False,
            cost_pending=turn.dispatch_id is not None,
        )
        last = last_events(last_id + EVENT_ID_GAP, ending, None)
        await messages.close(
            session, chat_id=turn.chat_id, message_id=turn.message_id, ending=ending, stream_to=last[-1].id
        )
        await journal_rows.add(session, chunks_of(turn.id, last))
        log.warning("a reply whose process died is %s", ending.status, extra={"turn_id": str(turn.id)})


def _ending_of(turn: TurnRow) -> ReplyEnding:
    if (reason := end_reason_of(turn.end_reason)) is not None:
        return ended_for(reason)
    return ReplyEnding("stopped" if turn.stop_requested else "interrupted")
