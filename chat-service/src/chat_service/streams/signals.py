"""Wake-ups between processes by LISTEN/NOTIFY. A lost one costs a poll interval, nothing else."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

import asyncpg
from shared.db import postgres_url
from shared.wakeups import Wakeups

from chat_service.streams.repository import JOURNAL_CHANNEL

STOP_CHANNEL = "atrium_chat_stop"
_CHECK_S = 5
_CONNECT_TIMEOUT_S = 10

log = logging.getLogger(__name__)


class Signals:
    """One listening connection a process. `wakeups` tells of turns whose journal grew, `on_stop` gets the turn id of each stop request."""

    def __init__(self, url: str, *, on_stop: Callable[[UUID], None]) -> None:
        self._url = postgres_url(url)
        self._on_stop = on_stop
        self.wakeups = Wakeups()

    async def listen(self) -> None:
        """Listen until the connection breaks; run it again then."""
        connection = await asyncpg.connect(self._url, timeout=_CONNECT_TIMEOUT_S)
        try:
            await connection.add_listener(JOURNAL_CHANNEL, self._received)
            await connection.add_listener(STOP_CHANNEL, self._received)
            while not connection.is_closed():
                await asyncio.sleep(_CHECK_S)
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _received(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        try:
            turn_id = UUID(str(payload))
        except ValueError:
            log.warning("a signal on %s names no turn", channel)
            return
        if channel == STOP_CHANNEL:
            self._on_stop(turn_id)
            return
        self.wakeups.wake(turn_id)
