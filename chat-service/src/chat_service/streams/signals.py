"""Wake-ups between processes by LISTEN/NOTIFY. A lost one costs a poll interval, nothing else."""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
from shared.db import postgres_url

from chat_service.streams.repository import JOURNAL_CHANNEL

STOP_CHANNEL = "atrium_chat_stop"
_CHECK_S = 5
_CONNECT_TIMEOUT_S = 10

log = logging.getLogger(__name__)


class Signals:
    """One listening connection a process. `on_stop` gets the turn id of each stop request."""

    def __init__(self, url: str, *, on_stop: Callable[[UUID], None]) -> None:
        self._url = postgres_url(url)
        self._on_stop = on_stop
        self._watchers: dict[UUID, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, turn_id: UUID) -> Generator[asyncio.Event]:
        """An event that is set whenever the turn's journal grew."""
        changed = asyncio.Event()
        self._watchers.setdefault(turn_id, set()).add(changed)
        try:
            yield changed
        finally:
            watchers = self._watchers[turn_id]
            watchers.discard(changed)
            if not watchers:
                del self._watchers[turn_id]

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
        for changed in self._watchers.get(turn_id, ()):
            changed.set()
