"""The journal writer of a process: one insert for all its running replies, every flush interval."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

from shared.db import Database

from chat_service.streams import repository
from chat_service.streams.live import Chunk, LiveReply

log = logging.getLogger(__name__)


class Journal:
    """Knows the replies that this process streams (`replies`, by message id) and keeps their journal close
    behind.

    `on_lost` hears of a reply that another process ended.
    """

    def __init__(self, database: Database, *, owner: str) -> None:
        self.owner = owner
        self.replies: dict[UUID, LiveReply] = {}
        self._database = database
        self.on_lost: Callable[[LiveReply], None] = LiveReply.close
        self._writing = asyncio.Lock()

    async def flush(self) -> None:
        """Store what was shown since the last flush. A failed write is repeated by the next one."""
        async with self._writing:
            # A run stores its events itself: its reply gets its rows when it ends, for those who resume it
            # then.
            open_replies = [live for live in self.replies.values() if not live.sealed and not live.relayed]
            chunks = [chunk for live in open_replies for chunk in live.take_unjournaled()]
            if not chunks:
                return
            async with self._database.transaction() as session:
                owned = await repository.write(session, chunks, owner=self.owner)
            written = {chunk.turn_id for chunk in chunks}
            for live in open_replies:
                if live.turn_id not in written:
                    continue
                live.note_journaled()
                if live.turn_id not in owned:
                    log.warning(
                        "a reply was taken from this process; its stream ends here",
                        extra={"turn_id": str(live.turn_id)},
                    )
                    self.on_lost(live)

    async def seal(self, live: LiveReply) -> list[Chunk]:
        """Take the reply away from the flush; returns the rows that its last transaction must store."""
        async with self._writing:
            live.sealed = True
            return live.take_unjournaled()
