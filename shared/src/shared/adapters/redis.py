"""Redis or Valkey, as what several processes count in together. The library is loaded only where REDIS_URL is
set: it takes a second and 10 MB.
"""

import asyncio
import hashlib
import logging
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.background import TaskTracker
from shared.breaker import CircuitBreaker
from shared.clock import utc_now

log = logging.getLogger(__name__)

_CONNECTIONS_MAX = 4
_BATCH_MAX = 64
_LATE_S = 0.005
_CONNECT_S = 1.0
_FAILURES_MAX = 3
_TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)
_FORMS = "redis://[user:password@]host[:port][/number], or rediss:// for TLS"
_AGAIN_S = 0.2
_ATTEMPT_S = 2.0
# Writes, by a script, as everything here does: a server that only reads shows at once, and a user who may
# not.
_PROBE = "return redis.call('SET', KEYS[1], '1', 'PX', '1000')"
_PROBE_KEY = "atrium:probe"


class RedisAway(Exception):
    """It does not answer, not in time, or not as it should; the message says which."""


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


def redis_refusal(url: str, *, within_s: float) -> str | None:
    """Why the Redis at `url` cannot be used, on one line without the password; None when it can. Who does not
    answer is asked again for `within_s`. Blocks.
    """
    give_up_s = time.monotonic() + within_s
    while (refusal := _refusal(url)) is not None:
        if refusal.is_final or time.monotonic() >= give_up_s:
            return refusal.text
        time.sleep(_AGAIN_S)
    return None


@dataclass(frozen=True, slots=True)
class _Refusal:
    text: str
    is_final: bool = True


def _refusal(url: str) -> _Refusal | None:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import AuthenticationError, RedisError, ResponseError
    from redis.retry import Retry

    parts = urlsplit(url)
    at = f"{parts.hostname}:{parts.port or 6379}"
    try:
        client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - takes any option
            url, socket_timeout=_ATTEMPT_S, socket_connect_timeout=_ATTEMPT_S, retry=Retry(NoBackoff(), 0)
        )
        with client:
            client.eval(_PROBE, 1, _PROBE_KEY)
    except AuthenticationError:
        return _Refusal(f"the Redis at {at} refuses the user or password")
    except ResponseError as error:
        return _Refusal(f"the Redis at {at} refuses to be used: {str(error)[:160]}")
    except (RedisError, OSError, ValueError) as error:
        if isinstance(_origin(error), ssl.SSLError):
            return _Refusal(f"the Redis at {at} and this process cannot agree on TLS: {_reason(error)}")
        return _Refusal(
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


class RedisClient:
    """A bounded pool of connections and a breaker. What is asked while an answer is awaited travels together:
    a call costs about 70 us of CPU among many, and 300 alone.

    What travels together has `timeout_s` to be answered; whoever waits behind it fails with it. After three
    failures in a row nothing is asked but by `ask_again`, which whoever owns the client calls each second or
    so.
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
        self._breaker = CircuitBreaker(failures_max=_FAILURES_MAX, open_s=0)
        self._tasks = TaskTracker()
        self._asked: list[_Call] = []
        self._is_sending = False
        self.last_success_at: datetime | None = None

    @property
    def is_away(self) -> bool:
        return self._breaker.is_open

    async def run(self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script returns. Raises: RedisAway; then it may have run or not."""
        if self._breaker.is_open:
            raise RedisAway("it did not answer a moment ago")
        return await self._ask(script, keys, arguments)

    async def ask_again(
        self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | int]
    ) -> Any:
        """As run(), also while Redis is away: an answer ends that. A connection may take a second to make."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._pool.release(await self._pool.get_connection())
        except self._failures as error:
            raise self._failed(error) from None
        return await self._ask(script, keys, arguments)

    async def aclose(self) -> None:
        await self._tasks.drain(self._timeout_s + _CONNECT_S)
        await self._pool.aclose()

    def _ask(
        self, script: RedisScript, keys: Sequence[str], arguments: Sequence[str | int]
    ) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        command = ("EVALSHA", script.digest, len(keys), *keys, *arguments)
        self._asked.append(_Call(script, command, answer))
        if not self._is_sending:
            self._is_sending = True
            self._tasks.spawn(self._send(), "redis")
        return answer

    async def _send(self) -> None:
        try:
            while self._asked:
                batch, self._asked = self._asked[:_BATCH_MAX], self._asked[_BATCH_MAX:]
                await self._send_in_time(batch)
        finally:
            self._is_sending = False

    async def _send_in_time(self, batch: list[_Call]) -> None:
        """Each call of the batch has its answer afterwards; those behind it too, when there was none."""
        exchange = self._tasks.spawn(self._exchange(batch), "redis batch", claimed=True)
        # Did this process stand still, and not Redis, the answer is here by now and wants to be read.
        for patience_s in (self._timeout_s, _LATE_S):
            await asyncio.wait({exchange}, timeout=patience_s)
        if not exchange.done():
            exchange.cancel()
            await asyncio.wait({exchange})
        error = TimeoutError() if exchange.cancelled() else exchange.exception()
        if error is None:
            return
        reason = str(self._failed(error))
        unanswered, self._asked = [*batch, *self._asked], []
        for call in unanswered:
            if not call.answer.done():
                call.answer.set_exception(RedisAway(reason))
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
                away = self._failed(error)
                if not call.answer.done():
                    call.answer.set_exception(away)
            else:
                self._succeeded()
                if not call.answer.done():
                    call.answer.set_result(found)
        return unknown

    def _succeeded(self) -> None:
        if self._breaker.is_open:
            log.warning("Redis answers again")
        self._breaker.succeeded()
        self.last_success_at = utc_now()

    def _failed(self, error: BaseException) -> RedisAway:
        was_open, reason = self._breaker.is_open, _reason(error)
        self._breaker.failed()
        if self._breaker.is_open and not was_open:
            log.warning("Redis is away: %s", self._meanwhile, extra={"reason": reason})
        return RedisAway(reason)
