"""Hears what other gateway processes, the command line and this process itself revoked."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import asyncpg
from shared.db import postgres_url

from gateway_service.identity.changes import CHANNEL
from gateway_service.identity.memory import IdentityMemory

log = logging.getLogger(__name__)

RETRY_S = 0.5
_HEARTBEAT_S = 5.0
_ANSWER_MAX_S = 5.0


class ChangeListener:
    """Keeps one connection on LISTEN. After every gap in it the whole memory is dropped: what was said meanwhile is lost."""

    def __init__(self, *, url: str, memory: IdentityMemory) -> None:
        self._url = postgres_url(url)
        self._memory = memory
        self._outage_logged = False
        self.listening = asyncio.Event()

    async def listen(self) -> None:
        """Listens until the connection breaks; call it again then."""
        try:
            await self._listen_once()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # Once per outage: it is tried twice a second.
            if not self._outage_logged:
                log.warning("revocations cannot be heard; connecting again", extra={"reason": str(error)})
            self._outage_logged = True
        finally:
            self.listening.clear()

    async def _listen_once(self) -> None:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
            self._url, timeout=_ANSWER_MAX_S, server_settings={"application_name": "atrium-gateway-listen"}
        )
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._memory.drop_all()
            self._outage_logged = False
            self.listening.set()
            closed = asyncio.Event()
            connection.add_termination_listener(lambda _connection: closed.set())
            while not closed.is_set():
                # A connection that died without a word is noticed by asking.
                await connection.execute("SELECT 1", timeout=_ANSWER_MAX_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), _HEARTBEAT_S)
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._memory.drop(str(payload))
