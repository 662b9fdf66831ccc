"""Wake-ups between processes by LISTEN/NOTIFY. A lost one costs a poll interval, nothing else."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

import asyncpg
from shared.db import postgres_url
from shared.wakeups import Wakeups, set_within

from chat_service.streams.repository import JOURNAL_CHANNEL

STOP_CHANNEL = "atrium_chat_stop"
OWNER_KEY_SQL = "hashtextextended('chat-owner:' || {owner}, 0)"
"""The advisory lock that an owner of turns holds while it lives. PostgreSQL frees it the moment the process
dies.
"""

_HOLD_OWNER = f"SELECT pg_advisory_lock_shared({OWNER_KEY_SQL.format(owner='$1')})"
_CHECK_S = 5
_ANSWER_MAX_S = 10

log = logging.getLogger(__name__)


class Signals:
    """One listening connection a process, which also shows that `owner` lives.

    `wakeups` tells of turns whose journal grew or that ended, `on_stop` gets the turn id of each stop
    request.
    """

    def __init__(self, url: str, *, owner: str, on_stop: Callable[[UUID], None]) -> None:
        self._url = postgres_url(url)
        self._owner = owner
        self._on_stop = on_stop
        self._outage_logged = False
        self.wakeups = Wakeups()

    async def listen(self) -> None:
        """Listen until the connection breaks; run it again then."""
        try:
            await self._listen_once()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Once per outage: it is tried several times a second.
            if not self._outage_logged:
                log.warning("signals cannot be heard; connecting again", extra={"reason": str(error)})
            self._outage_logged = True

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=_ANSWER_MAX_S)
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _connection: closed.set())
            # Shared: the connection before may still hold it, until the server sees that it broke.
            await connection.execute(_HOLD_OWNER, self._owner, timeout=_ANSWER_MAX_S)
            await connection.add_listener(JOURNAL_CHANNEL, self._received)
            await connection.add_listener(STOP_CHANNEL, self._received)
            self._outage_logged = False
            self.wakeups.wake_all()  # what was sent meanwhile is lost
            while not await set_within(closed, _CHECK_S):
                await connection.execute("SELECT 1", timeout=_ANSWER_MAX_S)
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
