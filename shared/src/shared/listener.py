"""One connection that listens to PostgreSQL's notifications and says when it may have missed some."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import asyncpg

from shared.background import Periodic
from shared.db import postgres_url

log = logging.getLogger(__name__)

RETRY_S = 0.5
_HEARTBEAT_S = 5.0
_ANSWER_MAX_S = 5.0

Heard = Callable[[str], None]


class ChannelListener:
    """Calls `heard[channel]` with each payload, on the event loop.

    A notification that was sent while the connection was down is lost: `on_connected` runs after each
    (re)connection, when nothing more can be missed. `listening` is set while the connection is up.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        heard: Mapping[str, Heard],
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = postgres_url(url)
        self._name = name
        self._heard = dict(heard)
        self._on_connected = on_connected
        self._outage_logged = False
        self._job = Periodic(f"listener {name}", RETRY_S, self._listen)
        self.listening = asyncio.Event()

    def start(self) -> None:
        self._job.start()

    async def close(self) -> None:
        await self._job.close()

    async def _listen(self) -> None:
        try:
            await self._listen_once()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Once per outage: it is tried twice a second.
            if not self._outage_logged:
                log.warning(
                    "notifications cannot be heard; connecting again",
                    extra={"listener": self._name, "reason": str(error)},
                )
            self._outage_logged = True
        finally:
            self.listening.clear()

    async def _listen_once(self) -> None:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._url,
            timeout=_ANSWER_MAX_S,
            server_settings={"application_name": f"atrium-{self._name}-listen"},
        )
        try:
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _connection: closed.set())
            for channel in self._heard:
                await connection.add_listener(channel, self._received)
            self._on_connected()
            self._outage_logged = False
            self.listening.set()
            while not closed.is_set():
                # A connection that died without a word is noticed by asking.
                await connection.execute("SELECT 1", timeout=_ANSWER_MAX_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), _HEARTBEAT_S)
        finally:
            connection.terminate()

    def _received(self, _connection: Any, _pid: int, channel: str, payload: object) -> None:
        self._heard[channel](str(payload))
