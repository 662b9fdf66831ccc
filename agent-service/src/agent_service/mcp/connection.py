"""The connection to one MCP server: opened when it is used, closed when it is idle, opened again with growing
pauses.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar

from shared.background import TaskTracker
from shared.clock import monotonic_s, utc_now

from agent_service.mcp.catalogue import CatalogueEntry, build
from agent_service.mcp.port import ConnectionLost, Limits, Opener, Server, ServerError, Session
from agent_service.mcp.repository import Check
from agent_service.tools.port import ToolResult

_PAUSE_MAX_S = 60.0
_END_S = 8.0

T = TypeVar("T")


@dataclass(slots=True)
class Health:
    """What is known of a server. `error` None: the last thing we asked of it went well."""

    checked_at: datetime | None = None
    latency_ms: float | None = None
    error: str | None = None
    calls: int = 0
    failures: int = 0


class _Link:
    """One open session; its owner task alone enters and leaves it, as the SDK's task groups demand."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self.close_asked = asyncio.Event()
        self.why = "the connection was closed"
        self.in_use = 0
        self.last_used_s = monotonic_s()

    @property
    def usable(self) -> bool:
        return (
            not self.ended.is_set()
            and not self.close_asked.is_set()
            and not (self.opened.done() and self._session_gone())
        )

    def _session_gone(self) -> bool:
        return (
            self.opened.cancelled()
            or self.opened.exception() is not None
            or self.opened.result().closed.is_set()
        )


class Connection:
    """Calls of one server's tools. `entries` is its catalogue since it was last listed, None before that."""

    def __init__(self, server: Server, open_session: Opener, limits: Limits, tasks: TaskTracker) -> None:
        self.server = server
        self.health = Health()
        self.entries: tuple[CatalogueEntry, ...] | None = None
        self._open_session = open_session
        self._limits = limits
        self._tasks = tasks
        self._link: _Link | None = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(limits.calls_max)
        self._lost_in_a_row = 0
        self._not_before_s = 0.0

    @property
    def is_open(self) -> bool:
        return self._link is not None and self._link.usable and self._link.opened.done()

    async def catalogue(self) -> tuple[CatalogueEntry, ...]:
        """The server's tools, listed once; a check lists them afresh. Raises: ServerError."""
        return self.entries if self.entries is not None else await self._list(force=False)

    async def check(self) -> tuple[CatalogueEntry, ...]:
        """Connect now, whatever pause there is, and list the tools afresh. Raises: ServerError."""
        return await self._list(force=True)

    def as_check(self) -> Check:
        """What this process knows, for the others."""
        health = self.health
        digest = None if self.entries is None else _digest(self.entries)
        return Check(health.checked_at or utc_now(), health.latency_ms, health.error, digest)

    def learn(self, check: Check) -> None:
        """Take over what another process found, unless this one knows something newer. Other tools than ours
        are listed at the next use.
        """
        if self.health.checked_at is not None and self.health.checked_at >= check.checked_at:
            return
        self.health.checked_at, self.health.latency_ms = check.checked_at, check.latency_ms
        if not self.is_open:
            self.health.error = check.error
        if self.entries is not None and check.digest is not None and check.digest != _digest(self.entries):
            self.entries = None

    async def call(self, entry: CatalogueEntry, arguments: Mapping[str, Any]) -> ToolResult:
        """What the tool answered; whatever goes wrong is a failed result."""
        self.health.calls += 1
        await self._open_session.prepare()
        try:
            async with asyncio.timeout(self.server.call_timeout_s), self._slots:
                result = await self._call(entry, arguments)
        except TimeoutError:
            self._note_failure(f"{entry.remote_name} did not answer in {self.server.call_timeout_s:g} s")
            return ToolResult(
                f"The tool did not answer within {self.server.call_timeout_s:g} seconds.", failed=True
            )
        except ServerError as error:
            self._note_failure(str(error))
            return ToolResult(f"The tool could not be called: {error}.", failed=True)
        self._lost_in_a_row = 0
        self.health.error = None
        self.health.failures += result.failed
        return result

    async def _call(self, entry: CatalogueEntry, arguments: Mapping[str, Any]) -> ToolResult:
        try:
            return await self._once(entry, arguments)
        except ConnectionLost as lost:
            # Sent and not repeatable: it may have happened, and twice would be worse than not knowing.
            if lost.sent and not entry.repeatable:
                raise
            return await self._once(entry, arguments)

    async def _once(self, entry: CatalogueEntry, arguments: Mapping[str, Any]) -> ToolResult:
        link, session = await self._acquire(force=False)
        try:
            return await self._using(link, session.call(entry.remote_name, arguments))
        except ConnectionLost:
            await self._drop(link)
            raise

    async def _list(self, *, force: bool) -> tuple[CatalogueEntry, ...]:
        await self._open_session.prepare()
        began = monotonic_s()
        try:
            async with asyncio.timeout(self.server.connect_timeout_s * 2):
                link, session = await self._acquire(force=force)
                self.entries = build(self.server, await self._using(link, session.list_tools()))
        except TimeoutError:
            self._note_checked("it did not answer in time")
            raise ServerError("it did not answer in time") from None
        except ServerError as error:
            self._note_checked(str(error))
            raise
        self.health.latency_ms = round((monotonic_s() - began) * 1000, 1)
        self._note_checked(None)
        self._lost_in_a_row = 0
        return self.entries

    async def _acquire(self, *, force: bool) -> tuple[_Link, Session]:
        """An open session, opened if there is none. Raises: ServerError, at once while a pause lasts."""
        async with self._connecting:
            link = self._link
            if link is None or not link.usable:
                wait_s = self._not_before_s - monotonic_s()
                if wait_s > 0 and not force:
                    raise ServerError(
                        f"{self.health.error or 'it does not answer'} (tried again in {wait_s:.0f} s)"
                    )
                if link is not None:
                    await self._drop(link)
                link = self._link = _Link()
                self._tasks.spawn(self._own(link), name=f"MCP server {self.server.name}")
            link.last_used_s = monotonic_s()
            try:
                return link, await asyncio.shield(link.opened)
            except ServerError:
                self._pause()
                raise

    async def _own(self, link: _Link) -> None:
        """Holds the session from its opening to its end."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self.server.connect_timeout_s):
                    session = await stack.enter_async_context(self._open_session(self.server, self._limits))
                link.last_used_s = monotonic_s()  # starting a program may take longer than it may be idle
                link.opened.set_result(session)
                await self._until_done(link, session)
                if session.closed.is_set():
                    link.why = session.why()
        except TimeoutError:
            link.why = "it did not answer in time"
        except ServerError as error:
            link.why = str(error)
        finally:
            link.ended.set()
            if not link.opened.done():
                link.opened.set_exception(ServerError(link.why))
                link.opened.exception()  # seen, also when nobody waits any more

    async def _until_done(self, link: _Link, session: Session) -> None:
        """Returns when the session is gone, was asked to close or has been idle long enough."""
        ends = [asyncio.ensure_future(session.closed.wait()), asyncio.ensure_future(link.close_asked.wait())]
        try:
            while True:
                idle_left_s = self._limits.idle_s - (monotonic_s() - link.last_used_s)
                if idle_left_s <= 0 and not link.in_use:
                    link.close_asked.set()  # whoever comes from here on opens another
                    return
                done, _ = await asyncio.wait(
                    ends, timeout=max(idle_left_s, 0.05), return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    return
        finally:
            for end in ends:
                end.cancel()

    async def _using(self, link: _Link, work: Awaitable[T]) -> T:
        """The result of `work`, unless the link ends first. Raises: ConnectionLost."""
        link.in_use += 1
        working = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(link.ended.wait())
        try:
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            self._pause()
            raise ConnectionLost(link.why, sent=True)
        finally:
            link.in_use -= 1
            link.last_used_s = monotonic_s()
            ending.cancel()
            if not working.done():
                working.cancel()
                with contextlib.suppress(asyncio.CancelledError, ServerError):
                    await working

    def _pause(self) -> None:
        """Each loss in a row doubles the time until the next try."""
        self._lost_in_a_row += 1
        # The first loss is followed at once: a server that was restarted is back.
        pause_s = 0.0 if self._lost_in_a_row == 1 else min(2.0 ** (self._lost_in_a_row - 2), _PAUSE_MAX_S)
        self._not_before_s = monotonic_s() + pause_s

    async def _drop(self, link: _Link) -> None:
        link.close_asked.set()
        if self._link is link:
            self._link = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await link.ended.wait()

    def _note_failure(self, text: str) -> None:
        self.health.failures += 1
        self.health.error = text

    def _note_checked(self, error: str | None) -> None:
        self.health.checked_at = utc_now()
        self.health.error = error

    async def close_if_unused(self) -> None:
        """End the session unless a call is under way."""
        if self._link is not None and not self._link.in_use:
            await self._drop(self._link)

    async def close(self) -> None:
        """End the session, if there is one; the next call would open another."""
        if self._link is not None:
            await self._drop(self._link)


def _digest(entries: tuple[CatalogueEntry, ...]) -> str:
    return sha256(repr(entries).encode("utf-8", "replace")).hexdigest()
