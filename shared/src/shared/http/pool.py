"""Keep-alive connections to any number of origins, bounded per origin, with one ticker for all time-outs."""

import asyncio
import contextlib
import ssl
import time
from collections import deque
from types import TracebackType

from shared.corking import Cork
from shared.http.connection import Connection
from shared.http.errors import (
    UpstreamBusy,
    UpstreamConnectError,
    UpstreamDisconnected,
    UpstreamTimeout,
)
from shared.http.headers import RawHeaders, request_head
from shared.http.limits import PoolLimits, Timeouts
from shared.http.origin import Origin, parse_origin
from shared.http.response import UpstreamResponse
from shared.http.sending import Body, send_request, sent_at_once

_TICK_S = 0.1
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})
_DEFAULT_TIMEOUTS = Timeouts()


class _Slot:
    """The connections of one origin. `count` includes those being opened."""

    __slots__ = ("count", "idle", "origin", "waiters")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle: list[Connection] = []
        self.count = 0
        self.waiters: deque[asyncio.Future[Connection | None]] = deque()


class UpstreamPool:
    """One per process. Certificates are verified unless an own `ssl_context` says otherwise."""

    def __init__(
        self, limits: PoolLimits | None = None, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._limits = limits or PoolLimits()
        self._ssl_context = ssl_context
        self._cork = Cork()
        self._slots: dict[str, _Slot] = {}
        self._active: set[Connection] = set()
        self._ticker: asyncio.TimerHandle | None = None
        self._closing = False
        self._drained: asyncio.Event = asyncio.Event()

    def request(
        self,
        method: str,
        origin: str,
        target: bytes,
        headers: RawHeaders,
        *,
        body: Body = None,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
    ) -> "UpstreamExchange":
        """`async with pool.request(...) as response`. Header names are lower-case; host and framing are the
        pool's.

        Leaving the block before the end of the body closes the connection, which cancels the work upstream. A
        request is sent a second time only when a kept connection turned out dead, nothing was received, and
        the method is idempotent with its body at hand.

        Raises:
            UpstreamError: and its subclasses, on entering and while reading.
            InvalidRequest: on entering, before anything is sent.
        """
        return UpstreamExchange(self, method.encode("latin-1"), origin, target, headers, body, timeouts)

    @property
    def connections(self) -> int:
        """Open connections and those being opened, over all origins."""
        return sum(slot.count for slot in self._slots.values())

    async def aclose(self, drain_s: float = 5.0) -> None:
        """Refuses new requests, lets running ones finish for `drain_s`, then closes everything."""
        self._closing = True
        for slot in list(self._slots.values()):
            self._close_idle(slot)
            while slot.waiters:
                waiter = slot.waiters.popleft()
                if not waiter.done():
                    waiter.set_exception(UpstreamBusy("the connection pool is closing"))
        if self._active:
            self._drained.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(drain_s):
                    await self._drained.wait()
        for connection in list(self._active):
            connection.abort()
        await asyncio.sleep(0)
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    # --- used by UpstreamExchange

    def slot(self, origin: str) -> _Slot:
        """The entry of an origin, made when there is none. Good until the next await: the last connection
        lost removes it.
        """
        slot = self._slots.get(origin)
        if slot is None:
            slot = self._slots[origin] = _Slot(parse_origin(origin))
        return slot

    def kept(self, origin: str) -> tuple[_Slot, Connection, bool] | None:
        """As acquire(), when an idle connection is at hand; the common case does not wait for anything."""
        if self._closing:
            return None
        slot = self.slot(origin)
        connection = self._pop_idle(slot)
        return None if connection is None else (slot, self._activate(connection), True)

    async def acquire(self, origin: str, connect_s: float) -> tuple[_Slot, Connection, bool]:
        """A connection for one exchange and whether it was used before. Raises UpstreamConnectError,
        UpstreamTimeout.
        """
        while True:
            if self._closing:
                raise UpstreamBusy("the connection pool is closing")
            slot = self.slot(origin)
            connection = self._pop_idle(slot)
            if connection is not None:
                return slot, self._activate(connection), True
            if slot.count < self._limits.connections_max:
                slot.count += 1
                return slot, self._activate(await self._open(slot, connect_s)), False
            granted = await self._queue(slot, connect_s)
            if granted is None:
                return slot, self._activate(await self._open(slot, connect_s)), False
            if granted.usable:
                return slot, self._activate(granted), True

    def release(self, slot: _Slot, connection: Connection) -> None:
        """Keeps a connection whose exchange ended cleanly; closes any other."""
        self._active.discard(connection)
        if not self._active:
            self._drained.set()
        if not connection.finish() or self._closing:
            connection.abort()
            return
        self._hand_over(slot, connection)

    def close_idle(self, slot: _Slot) -> None:
        """Drops kept connections: when one was found dead, the others of that moment are suspect too."""
        self._close_idle(slot)

    # --- inside

    def _hand_over(self, slot: _Slot, connection: Connection) -> None:
        while slot.waiters:
            waiter = slot.waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        connection.idle_since = time.monotonic()
        slot.idle.append(connection)

    def _activate(self, connection: Connection) -> Connection:
        self._active.add(connection)
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        return connection

    def _pop_idle(self, slot: _Slot) -> Connection | None:
        oldest = time.monotonic() - self._limits.keepalive_s
        while slot.idle:
            connection = slot.idle.pop()
            if connection.usable and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    def _close_idle(self, slot: _Slot) -> None:
        while slot.idle:
            slot.idle.pop().abort()

    async def _queue(self, slot: _Slot, connect_s: float) -> Connection | None:
        """A connection handed over, or None for the right to open one."""
        if len(slot.waiters) >= self._limits.queue_max:
            raise UpstreamBusy(
                f"all {self._limits.connections_max} connections to {slot.origin.text} are in use and the "
                "queue is full"
            )
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        slot.waiters.append(waiter)
        try:
            async with asyncio.timeout(connect_s):
                return await waiter
        except BaseException as error:
            self._leave_queue(slot, waiter)
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout("queue", slot.origin.text) from None
            raise

    def _leave_queue(self, slot: _Slot, waiter: "asyncio.Future[Connection | None]") -> None:
        with contextlib.suppress(ValueError):
            slot.waiters.remove(waiter)
        if waiter.cancelled() or not waiter.done() or waiter.exception() is not None:
            return
        granted = waiter.result()  # granted and given up in the same turn of the loop: the next one gets it
        if granted is None:
            slot.count -= 1
            self._grant(slot)
        elif granted.usable:
            self._hand_over(slot, granted)

    async def _open(self, slot: _Slot, connect_s: float) -> Connection:
        origin = slot.origin
        connection = Connection(origin.text, self._limits, lambda lost: self._lost(slot, lost), self._cork)
        try:
            async with asyncio.timeout(connect_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    origin.host,
                    origin.port,
                    ssl=self._tls() if origin.tls else None,
                    server_hostname=origin.host if origin.tls else None,
                )
        except BaseException as error:
            connection.abort()
            self._lost(slot, connection)
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout("connect", origin.text) from None
            if isinstance(error, OSError):
                raise UpstreamConnectError(f"no connection to {origin.text}: {error}") from error
            raise
        return connection

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = ssl.create_default_context()
        return self._ssl_context

    def _lost(self, slot: _Slot, connection: Connection) -> None:
        """Counts a closed connection once and lets the next waiter open another."""
        if not connection.counted:
            return
        connection.counted = False
        slot.count -= 1
        with contextlib.suppress(ValueError):
            slot.idle.remove(connection)
        self._grant(slot)
        if slot.count == 0 and not slot.waiters:
            self._slots.pop(slot.origin.text, None)

    def _grant(self, slot: _Slot) -> None:
        while slot.waiters:
            waiter = slot.waiters.popleft()
            if not waiter.done():
                slot.count += 1
                waiter.set_result(None)
                return

    def _tick(self) -> None:
        now = time.monotonic()
        for connection in [each for each in self._active if each.deadline < now]:
            connection.expire()
        oldest = now - self._limits.keepalive_s
        for slot in list(self._slots.values()):
            while slot.idle and slot.idle[0].idle_since < oldest:
                slot.idle.pop(0).abort()
        busy = bool(self._active) or any(slot.idle for slot in self._slots.values())
        self._ticker = asyncio.get_running_loop().call_later(_TICK_S, self._tick) if busy else None


class UpstreamExchange:
    """One request and its answer; see UpstreamPool.request()."""

    __slots__ = (
        "_body",
        "_connection",
        "_headers",
        "_method",
        "_origin",
        "_pool",
        "_response",
        "_slot",
        "_target",
        "_timeouts",
    )

    def __init__(
        self,
        pool: UpstreamPool,
        method: bytes,
        origin: str,
        target: bytes,
        headers: RawHeaders,
        body: Body,
        timeouts: Timeouts,
    ) -> None:
        self._pool = pool
        self._method = method
        self._origin = origin
        self._target = target
        self._headers = headers
        self._body = body
        self._timeouts = timeouts
        self._slot: _Slot | None = None
        self._connection: Connection | None = None
        self._response: UpstreamResponse | None = None

    async def __aenter__(self) -> UpstreamResponse:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def open(self) -> UpstreamResponse:
        """Send the request and wait for the head of its answer. For the hottest path; `close` has to follow,
        as after `async with`.
        """
        body = self._body
        at_hand = body is None or isinstance(body, bytes)
        head, body_size = request_head(
            self._method,
            self._target,
            self._headers,
            host=self._pool.slot(self._origin).origin.host_header,
            body_size=len(body) if isinstance(body, bytes) else None,
            streamed=not at_hand,
        )
        repeatable = at_hand and self._method in _IDEMPOTENT
        patience_s = self._timeouts.first_byte_s
        while True:
            began = time.monotonic()
            slot, connection, reused = self._pool.kept(self._origin) or await self._pool.acquire(
                self._origin, self._timeouts.connect_s
            )
            try:
                if not sent_at_once(connection, head, body, method=self._method):
                    write_s = self._timeouts.write_s
                    await send_request(
                        connection, head, body, method=self._method, body_size=body_size, write_s=write_s
                    )
                await connection.wait_head(patience_s)
            except BaseException as error:
                self._pool.release(slot, connection)
                if (
                    isinstance(error, UpstreamDisconnected)
                    and reused
                    and repeatable
                    and not connection.received
                ):
                    repeatable = False
                    self._pool.close_idle(slot)
                    # Who waits for the answer does not begin again: both times together get what one would
                    # have had.
                    patience_s = max(0.0, patience_s - (time.monotonic() - began))
                    continue
                raise
            self._slot, self._connection = slot, connection
            self._response = UpstreamResponse(connection, self._timeouts.idle_s)
            return self._response

    def close(self) -> None:
        """The exchange is over, whether it has been opened or not."""
        connection, slot, response = self._connection, self._slot, self._response
        if connection is None or slot is None or response is None:
            return
        self._connection = None
        response.detach()
        self._pool.release(slot, connection)
