"""The turns of processes that died: a plain one ends with what its journal holds, a run is taken over and goes on."""

import logging

import orjson
from shared.clock import monotonic_s
from shared.db import Database
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.messages.service import Ending
from chat_service.settings import ChatSettings
from chat_service.streams import repository as journal_rows
from chat_service.streams.cursor import journal_events
from chat_service.streams.fold import fold
from chat_service.streams.live import Chunk, Event
from chat_service.turns import repository
from chat_service.turns.closing import EVENT_ID_GAP
from chat_service.turns.models import TurnKind, TurnRow
from chat_service.turns.runner import TurnRunner
from chat_service.turns.specs import TurnSpec
from chat_service.turns.takeover import spec_of

_BATCH_MAX = 100

log = logging.getLogger(__name__)


class Reaper:
    """Any number of processes run one; a lease that ended is the only sign of death it accepts."""

    def __init__(self, database: Database, runner: TurnRunner, settings: ChatSettings) -> None:
        self._database = database
        self._runner = runner
        self._settings = settings
        self._blind_until_s = 0.0

    async def run(self) -> None:
        """See to every turn whose lease is over. After a database failure wait a lease: owners could not renew either."""
        if monotonic_s() < self._blind_until_s:
            return
        try:
            for _ in range(_BATCH_MAX):
                if not await self._reap_one():
                    return
        except Exception:
            self._blind_until_s = monotonic_s() + self._settings.turn_lease_s
            raise

    async def _reap_one(self) -> bool:
        kinds: list[TurnKind] = ["plain"] if self._runner.full else ["plain", "agent"]
        taken: tuple[TurnSpec, list[Event]] | None = None
        async with self._database.transaction() as session:
            turn = await repository.lock_expired(session, kinds=kinds)
            if turn is None:
                return False
            if turn.id in self._runner and turn.owner != self._runner.owner:
                return False  # this process lost it and has not noticed yet; it is taken over when it has
            if turn.kind == "agent":
                taken = await self._take_over(session, turn)
            else:
                await self._end(session, turn)
        if taken is not None:
            spec, known = taken
            log.warning("a run whose process died is followed again", extra={"turn_id": str(turn.id), "events": len(known)})
            self._runner.go_on(spec, known=known, stop=turn.stop_requested)
        return True

    async def _take_over(self, session: AsyncSession, turn: TurnRow) -> tuple[TurnSpec, list[Event]] | None:
        """The turn and what its journal has, now this process's; None when it is already, or cannot be."""
        if turn.id in self._runner:
            # This process stalled past its own lease; nobody took the turn meanwhile.
            await repository.take_over(session, turn_id=turn.id, owner=turn.owner, lease_s=self._settings.turn_lease_s)
            return None
        spec = await spec_of(session, turn, siblings_max=self._settings.siblings_max)
        if spec is None:
            await self._end(session, turn)
            return None
        await repository.take_over(session, turn_id=turn.id, owner=self._runner.owner, lease_s=self._settings.turn_lease_s)
        return spec, await journal_events(session, turn.id)

    async def _end(self, session: AsyncSession, turn: TurnRow) -> None:
        status = "stopped" if turn.stop_requested else "interrupted"
        last_id = await journal_rows.last_id(session, turn_id=turn.id) or turn.first_event_id
        done_id = last_id + EVENT_ID_GAP
        await repository.end(
            session,
            turn_id=turn.id,
            owner=turn.owner,
            status=status,
            dispatch_id=turn.dispatch_id,
            tokens_known=False,
            cost_pending=turn.dispatch_id is not None,
        )
        folded = fold(await journal_events(session, turn.id))
        ending = Ending(status=status, text=folded.text, steps=folded.steps, citations=folded.citations)
        await messages.close(session, chat_id=turn.chat_id, message_id=turn.message_id, ending=ending, stream_to=done_id)
        payload = orjson.dumps({"status": status}).decode()
        await journal_rows.add(session, [Chunk(turn.id, done_id, done_id, "done", payload)])
        log.warning("a reply whose process died is %s", status, extra={"turn_id": str(turn.id)})
