"""Ends the turns of processes that died: their journal becomes the reply, marked interrupted."""

import logging

import orjson
from shared.clock import monotonic_s
from shared.db import Database
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.messages.service import Ending
from chat_service.settings import ChatSettings
from chat_service.streams import repository as journal_rows
from chat_service.streams.live import Chunk
from chat_service.streams.service import journal_text
from chat_service.turns import repository
from chat_service.turns.models import TurnRow

EVENT_ID_GAP = 1_000_000
"""Readers may have seen ids that were never journaled; later ids start beyond them, so that no id means two things."""

_BATCH_MAX = 100

log = logging.getLogger(__name__)


class Reaper:
    """Any number of processes run one; a lease that ended is the only sign of death it accepts."""

    def __init__(self, database: Database, settings: ChatSettings) -> None:
        self._database = database
        self._lease_s = settings.turn_lease_s
        self._blind_until_s = 0.0

    async def run(self) -> None:
        """End every turn whose lease is over. After a database failure wait a lease: owners could not renew either."""
        if monotonic_s() < self._blind_until_s:
            return
        try:
            for _ in range(_BATCH_MAX):
                if not await self._reap_one():
                    return
        except Exception:
            self._blind_until_s = monotonic_s() + self._lease_s
            raise

    async def _reap_one(self) -> bool:
        async with self._database.transaction() as session:
            turns = await repository.lock_expired(session, limit=1)
            for turn in turns:
                await self._end(session, turn)
        return bool(turns)

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
        ending = Ending(status=status, text=await journal_text(session, turn.id))
        await messages.close(session, chat_id=turn.chat_id, message_id=turn.message_id, ending=ending, stream_to=done_id)
        payload = orjson.dumps({"status": status}).decode()
        await journal_rows.add(session, [Chunk(turn.id, done_id, done_id, "done", payload)])
        log.warning("a reply whose process died is %s", status, extra={"turn_id": str(turn.id)})
