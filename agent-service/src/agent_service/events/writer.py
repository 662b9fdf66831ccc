"""The only way rows of a run under way change: events get their ids here, and nothing is shown before it is
stored.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal
from uuid import UUID

import orjson
from shared.background import TaskTracker
from shared.db import Database
from shared.outages import is_outage
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.records import event_repository, repository
from agent_service.records.event_repository import EventRecord

_WRITE_AGAIN_S = 0.5
_TEXT_CHARS_MAX = 16_000

TextKind = Literal["delta", "reasoning"]


class RunLostError(Exception):
    """Another process continues with the run, or it was ended: this one writes nothing more."""


class EventWriter:
    """Events of one run. Ids are contiguous; a write that failed is repeated with the same ids."""

    def __init__(
        self, database: Database, *, run_id: UUID, owner: str, last_id: int, on_stored: Callable[[UUID], None]
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._owner = owner
        self._last_id = last_id
        self._on_stored = on_stored
        self._pending: list[tuple[str, dict[str, Any]]] = []
        self._in_flight: list[EventRecord] = []
        self._writing = asyncio.Lock()

    def add(self, event: str, data: dict[str, Any]) -> None:
        """An event for the next write."""
        self._pending.append((event, data))

    def add_text(self, kind: TextKind, text: str) -> None:
        """Text for the next write; neighbours of one kind become one event."""
        if self._pending:
            event, data = self._pending[-1]
            if event == kind and len(data["text"]) + len(text) <= _TEXT_CHARS_MAX:
                data["text"] += text
                return
        self.add(kind, {"text": text})

    async def commit(self, change: Callable[[AsyncSession], Awaitable[None]] | None = None) -> None:
        """Store what was added, in one transaction with `change`, which must be harmless to repeat. Waits for
        a database that is away.

        Raises:
            RunLostError: another process owns the run, or it has ended.
        """
        async with self._writing:
            self._number()
            if not self._in_flight and change is None:
                return
            while True:
                try:
                    await self._store(change)
                    break
                except Exception as error:
                    if not is_outage(error):
                        raise
                    await asyncio.sleep(_WRITE_AGAIN_S)
            self._in_flight.clear()
        self._on_stored(self._run_id)

    @asynccontextmanager
    async def flushing(
        self, tasks: TaskTracker, interval_s: float, *, on_lost: Callable[[], None]
    ) -> AsyncGenerator[None]:
        """While the block runs, what is added is stored every `interval_s`; `on_lost` hears that it no longer
        may be.
        """
        ended = asyncio.Event()
        flusher = tasks.spawn(
            self._flush_until(ended, interval_s, on_lost), name=f"events of run {self._run_id}"
        )
        try:
            yield
        finally:
            # Never cancelled: a cancelled write would leave its connection in the middle of a transaction.
            ended.set()
            await asyncio.shield(flusher)

    async def _flush_until(
        self, ended: asyncio.Event, interval_s: float, on_lost: Callable[[], None]
    ) -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await ended.wait()
                    return
            try:
                await self.commit()
            except RunLostError:
                on_lost()
                return

    def _number(self) -> None:
        for event, data in self._pending:
            self._last_id += 1
            self._in_flight.append(EventRecord(self._last_id, event, orjson.dumps(data).decode()))
        self._pending.clear()

    async def _store(self, change: Callable[[AsyncSession], Awaitable[None]] | None) -> None:
        async with self._database.transaction() as session:
            if not await repository.owns(session, self._run_id, owner=self._owner):
                raise RunLostError
            await event_repository.add(session, self._run_id, self._in_flight)
            if change is not None:
                await change(session)
