"""Redis or Valkey, as what several processes count in together. The library is loaded only where REDIS_URL is
set: it takes a second and 10 MB.
"""

import asyncio
import hashlib
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.background import TaskTracker
from shared.clock import utc_now

log = logging.getLogger(__name__)

_CONNECTIONS_MAX = 4
_BATCH_MAX = 64
_QUEUED_MAX = 1024
_LATE_S = 0.005
_CONNECT_S = 1.0
_FAILURES_MAX = 3
_SOON_S = 60.0
_GOOD_BEATS_MAX = 60
_TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)
_FORMS = "redis://[user:password@]host[:port][/number], or rediss:// for TLS"
# Codes of a server that starts, is full, fails over or runs another's script: it passes.
_PASSING = ("BUSY ", "LOADING ", "MASTERDOWN ", "MISCONF ", "NOREPLICAS ", "OOM ", "READONLY ")
_AGAIN_S = 0.2
_ATTEMPT_S = 2.0
# Writes, by a script, as everything here does: a server that only reads shows at once, and a user who may
# not.
_PROBE = "return redis.call('SET', KEYS[1], '1', 'PX', '1000')"
_PROBE_KEY = "atrium:probe"


class RedisAway(Exception):
    """It does not answer, not in time, or not as it should; the message says which. What was asked was not
    done, unless it `may_have_run`.
    """

    def __init__(self, reason: str, *, may_have_run: bool = False) -> None:
        super().__init__(reason)
        self.may_have_run = may_have_run


def redis_only(url: str) -> str:
    """An address of Redis that can work. Raises: ValueError, without the address, which may hold a
    password.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        raise ValueError(f"this is no address of a Redis server; write {_FORMS}") from None
    number = parts.path.removeprefix("/")
    if not is_address or parts.fragment or (number and not (number.isascii() and number.isdecimal())):
        raise ValueError(
            f"this is no address of a Redis server; write {_FORMS}, and each character of the "
            "password that is no letter or digit as %XX"
        )
    options = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if unknown := options - (_TLS_OPTIONS if parts.scheme == "rediss" else frozenset()):
        raise ValueError(
            f"{len(unknown)} of its options cannot be used; rediss:// takes {', '.join(sorted(_TLS_OPTIONS))}"
        )
    return url


@dataclass(frozen=True, slots=True)
class RedisRefusal:
    """Why a Redis cannot be used, on one line without the password. Until somebody corrects something, when
    it `is_final`; otherwise it may work the next moment.
    """

    text: str
    is_final: bool


def redis_refusal(url: str, *, within_s: float) -> RedisRefusal | None:
    """Why the Redis at `url` cannot be used; None when it can. Where that is not final it is asked again for
    `within_s`. Blocks.
    """
    give_up_s = time.monotonic() + within_s
    while (refusal := _refusal(url)) is not None:
        if refusal.is_final or time.monotonic() >= give_up_s:
            return refusal
        time.sleep(_AGAIN_S)
    return None


def _refusal(url: str) -> RedisRefusal | None:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import (
        AuthenticationError,
        BusyLoadingError,
        ClusterDownError,
        OutOfMemoryError,
        ReadOnlyError,
        RedisError,
        ResponseError,
    )
    from redis.retry import Retry

    # MASTERDOWN is a kind of CLUSTERDOWN here.
    passing = (BusyLoadingError, ClusterDownError, OutOfMemoryError, ReadOnlyError)
    parts = urlsplit(url)
    at = f"{parts.hostname}:{parts.port or 6379}"
    try:
        client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - takes any option
            url, socket_timeout=_ATTEMPT_S, socket_connect_timeout=_ATTEMPT_S, retry=Retry(NoBackoff(), 0)
        )
        with client:
            client.eval(_PROBE, 1, _PROBE_KEY)
    except AuthenticationError:
        return RedisRefusal(f"the Redis at {at} refuses the user or password", True)
    except (BusyLoadingError, ResponseError) as error:
        passes = isinstance(error, passing) or any(code in str(error) for code in _PASSING)
        return RedisRefusal(f"the Redis at {at} refuses to be used: {str(error)[:160]}", not passes)
    except (RedisError, OSError, ValueError) as error:
        origin = _origin(error)
        if isinstance(origin, ssl.SSLError) and not isinstance(origin, ssl.SSLEOFError):
            return RedisRefusal(
                f"the Redis at {at} and this process cannot agree on TLS: {_reason(error)}", True
            )
        return RedisRefusal(
            f"no Redis answers at {at} ({_reason(error)}); start it or correct the address", False
        )
    return None


def _origin(error: BaseException) -> BaseException:
    """What the library's error was made of."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _reason(error: BaseException) -> str:
    origin = _origin(error)
    if isinstance(error, TimeoutError) or isinstance(origin, TimeoutError):
        return "no answer in time"
    return (origin.strerror if isinstance(origin, OSError) else None) or type(origin).__name__


@dataclass(frozen=True, slots=True)
class RedisScript:
    """A Lua script, which Redis is sent in full only when it does not know it yet."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # The name that Redis gives it.
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)


@dataclass(slots=True)
class _Call:
    script: RedisScript
    command: tuple[str | int, ...]
    answer: asyncio.Future[Any]
    timer: asyncio.TimerHandle
    is_sent: bool = False

    def succeeded(self, found: Any) -> None:
        self.timer.cancel()
        if not self.answer.done():
            self.answer.set_result(found)

    def failed(self, reason: str) -> None:
        self.timer.cancel()
        if not self.answer.done():
            self.answer.set_exception(RedisAway(reason, may_have_run=self.is_sent))


class Presence:
    """Whether Redis is asked. It is away after three failures in a row, and back after a good heartbeat; when
    it goes again within a minute, after twice as many in a row, up to 60.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._good_beats = 0
        self._good_beats_needed = 1
        self._back_at = -_SOON_S
        self.is_away = False

    def failed(self) -> bool:
        """Whether it went with this failure."""
        self._failures += 1
        self._good_beats = 0
        if self.is_away or self._failures < _FAILURES_MAX:
            return False
        self.is_away = True
        is_soon = self._clock() - self._back_at < _SOON_S
        self._good_beats_needed = min(_GOOD_BEATS_MAX, self._good_beats_needed * 2) if is_soon else 1
        return True

    def answered(self) -> None:
        """It answered, to whatever it was asked."""
        self._failures = 0

    def beat(self) -> bool:
        """A heartbeat was good; whether Redis is back with it."""
        if not self.is_away:
            return False
        self._good_beats += 1
        if self._good_beats < self._good_beats_needed:
            return False
        self.is_away = False
        self._back_at = self._clock()
        return True


class RedisClient:
    """A bounded pool of connections and a bounded queue. What is asked while an answer is awaited travels
    together: a call costs about 70 us of CPU among many, and 300 alone.

    Each call has `timeout_s` from when it was asked, in the queue too; what travels together has `timeout_s`
    to be answered, and whoever waits behind it fails with it. After three failures in a row nothing is asked
    but by `ask_again`, which whoever owns the client calls each second or so: see Presence.
    """

    def __init__(self, url: str, *, timeout_s: float, meanwhile: str) -> None:
        """`meanwhile` says in the log what is done while Redis is away."""
        from redis.asyncio import BlockingConnectionPool
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import NoScriptError, RedisError, ResponseError

        self._failures = (RedisError, OSError)
        self._refused = ResponseError
        self._unknown = NoScriptError
        self._pool: Any = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType] - takes any option
            url,
            max_connections=_CONNECTIONS_MAX,
            timeout=None,  # all waiting is bounded here
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._timeout_s = timeout_s
        self._meanwhile = meanwhile
        self._presence = Presence()
        self._tasks = TaskTracker()
        self._asked: deque[_Call] = deque()
        self._is_sending = False
        self.last_success_at: datetime | None = None

    @property
    def is_away(self) -> bool:
        return self._presence.is_away

    async def run(self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script returns. Raises: RedisAway."""
        if self._presence.is_away:
            raise RedisAway("it did not answer a moment ago")
        return await self._ask(script, keys, arguments)

    async def ask_again(
        self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | int]
    ) -> Any:
        """As run(), also while Redis is away: enough answers in a row end that. It may take a second to
        connect.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._pool.release(await self._pool.get_connection())
        except self._failures as error:
            raise RedisAway(self._failed(error)) from None
        found = await self._ask(script, keys, arguments)
        if self._presence.beat():
            log.warning("Redis answers again")
        return found

    async def aclose(self) -> None:
        await self._tasks.drain(self._timeout_s + _CONNECT_S)
        await self._pool.aclose()

    def _ask(
        self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | int]
    ) -> asyncio.Future[Any]:
        """Raises: RedisAway when too many wait already."""
        if len(self._asked) >= _QUEUED_MAX:
            raise RedisAway("too many wait for it")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        command = ("EVALSHA", script.digest, len(keys), *keys, *arguments)
        timer = loop.call_later(self._timeout_s, lambda: self._overdue(call))
        call = _Call(script, command, answer, timer)
        self._asked.append(call)
        if not self._is_sending:
            self._is_sending = True
            self._tasks.spawn(self._send(), "redis")
        return answer

    def _overdue(self, call: _Call) -> None:
        # Did this process stand still, and not Redis, the answer is here by now and wants to be read.
        call.timer = asyncio.get_running_loop().call_later(_LATE_S, self._give_up, call)

    def _give_up(self, call: _Call) -> None:
        call.failed("no answer in time")
        while self._asked and self._asked[0].answer.done():
            self._asked.popleft()

    async def _send(self) -> None:
        try:
            while batch := self._next_batch():
                await self._send_in_time(batch)
        finally:
            self._is_sending = False

    def _next_batch(self) -> list[_Call]:
        """The first that wait, without those who gave up."""
        batch: list[_Call] = []
        while self._asked and len(batch) < _BATCH_MAX:
            call = self._asked.popleft()
            if call.answer.done():
                call.timer.cancel()
            else:
                call.is_sent = True
                batch.append(call)
        return batch

    async def _send_in_time(self, batch: list[_Call]) -> None:
        """Each call of the batch has its answer afterwards; those behind it too, when there was none."""
        exchange = self._tasks.spawn(self._exchange(batch), "redis batch", claimed=True)
        # As in _overdue().
        for patience_s in (self._timeout_s, _LATE_S):
            await asyncio.wait({exchange}, timeout=patience_s)
        if not exchange.done():
            exchange.cancel()
            await asyncio.wait({exchange})
        error = TimeoutError() if exchange.cancelled() else exchange.exception()
        if error is None:
            return
        reason = self._failed(error)
        unanswered = [*batch, *self._asked]
        self._asked.clear()
        for call in unanswered:
            call.failed(reason)
        if not isinstance(error, self._failures):
            raise error

    async def _exchange(self, batch: list[_Call]) -> None:
        connection = await self._pool.get_connection()
        try:
            unknown = await self._answer(connection, batch)
            if unknown:
                texts = {call.script.text for call in unknown}
                await connection.send_packed_command(
                    connection.pack_commands([("SCRIPT", "LOAD", text) for text in texts])
                )
                for _ in texts:
                    await connection.read_response()
                if await self._answer(connection, unknown):
                    raise self._unknown("it forgets its scripts")
        except BaseException:
            await connection.disconnect(nowait=True)  # what may still come is nobody's answer
            raise
        finally:
            await self._pool.release(connection)

    async def _answer(self, connection: Any, batch: list[_Call]) -> list[_Call]:
        """Those whose script Redis does not know."""
        await connection.send_packed_command(connection.pack_commands([call.command for call in batch]))
        unknown: list[_Call] = []
        for call in batch:
            try:
                found = await connection.read_response()
            except self._unknown:
                unknown.append(call)
            except self._refused as error:
                call.failed(self._failed(error))
            else:
                self._presence.answered()
                self.last_success_at = utc_now()
                call.succeeded(found)
        return unknown

    def _failed(self, error: BaseException) -> str:
        """The reason, for who asked and, when Redis goes with it, for the log."""
        reason = _reason(error)
        if self._presence.failed():
            log.warning("Redis is away: %s", self._meanwhile, extra={"reason": reason})
        return reason
