"""A database that is away or too busy is 503 with Retry-After, not 500: clients wait and try again, and
nobody looks for a bug.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.clock import monotonic_s
from shared.errors import AppError, Invalid, Unavailable, render_for_path

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_AFTER_S = 2
# An engine drops all its connections when one turns out dead, so the second attempt gets a new one.
_ATTEMPTS = 2
_AGAIN_S = 0.2


# Class 08: connection exceptions; 53: out of connections, memory or disk.
_AWAY_CLASSES = ("08", "53")
# 57P01 to 57P05: shutting down, crashed, starting up, dropped, idle too long; 57014: statement time-out;
# 55P03: lock time-out; 25P03: idle in a transaction for too long; 40001 and 40P01: lost a race for rows,
# which a second attempt wins.
_AWAY_CODES = frozenset(
    {"57P01", "57P02", "57P03", "57P04", "57P05", "57014", "55P03", "25P03", "40001", "40P01"}
)
# 22021: not a character of the encoding (NUL in text); 22P05: none of the server's (NUL in JSON).
_TEXT_CODES = frozenset({"22021", "22P05"})
_DRIVER_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError)


def is_outage(error: BaseException) -> bool:
    """Whether the database was out of reach or too busy, as opposed to a statement that is wrong."""
    if isinstance(error, DBAPIError):
        return (
            error.connection_invalidated
            or _says_away(getattr(error.orig, "sqlstate", None))
            or _is_drivers(error.orig)
        )
    if isinstance(error, asyncpg.PostgresError):
        return _says_away(error.sqlstate)
    return isinstance(error, (PoolTimeoutError, ConnectionError, TimeoutError, *_DRIVER_ERRORS))


def _says_away(sqlstate: str | None) -> bool:
    return sqlstate is not None and (sqlstate[:2] in _AWAY_CLASSES or sqlstate in _AWAY_CODES)


def _is_drivers(error: BaseException | None) -> bool:
    """Whether SQLAlchemy wrapped an error of the driver itself: a connection that broke in the middle of its
    protocol.
    """
    return error is not None and isinstance(error.__cause__, _DRIVER_ERRORS)


def unusable_text(error: BaseException) -> Invalid | None:
    """The refusal of text that PostgreSQL cannot hold, when that is what went wrong."""
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    if state not in _TEXT_CODES:
        return None
    return Invalid(
        "a text holds a NUL or another character that cannot be stored; leave it out", code="invalid_text"
    )


def database_down() -> Unavailable:
    """What a client hears meanwhile."""
    return Unavailable(
        "the database does not answer or is too busy; try again in a moment",
        code="database_down",
        retry_after_s=_RETRY_AFTER_S,
    )


def answer_to(error: Exception, what: str) -> AppError:
    """What a client hears when `what` failed in a way that nobody expected, and a line in the log."""
    if (refused := unusable_text(error)) is not None:
        return refused
    if is_outage(error):
        log.warning("database out of reach", extra={"reason": type(error).__name__})
        return database_down()
    log.error("%s failed", what, exc_info=error)
    return AppError("something went wrong on our side; quote the request id to your operator")


async def read_again_after_outage(read: Callable[[], Awaitable[T]]) -> T:
    """The result of `read`, which must change nothing, tried once more on a connection that died. Raises:
    Unavailable.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await read()
        except (DBAPIError, PoolTimeoutError, ConnectionError, TimeoutError, *_DRIVER_ERRORS) as error:
            if not is_outage(error):
                raise
            if attempt == _ATTEMPTS or not isinstance(error, DBAPIError):
                raise database_down() from error
    raise database_down()


async def read_through_outage(read: Callable[[], Awaitable[T]], *, wait_max_s: float) -> T:
    """The result of `read`, which must change nothing, asked for again for up to `wait_max_s` while the
    database is away.

    For answers that have begun, where a status can say nothing any more. Raises: what `read` raised last.
    """
    give_up_s = monotonic_s() + wait_max_s
    while True:
        try:
            return await read()
        except Exception as error:
            if not is_outage(error) or monotonic_s() >= give_up_s:
                raise
        await asyncio.sleep(_AGAIN_S)


def answer_outages(api: FastAPI) -> None:
    """Teaches the application to answer 503 while the database is away."""

    async def on_database_error(request: Request, error: Exception) -> Response:
        shown = answer_to(error, "request")
        status, headers, body = render_for_path(
            shown, path=request.url.path, request_id=request.scope.get("atrium.request_id", "")
        )
        response = Response(body, status_code=status)
        response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
        return response

    for kind in (
        DBAPIError,
        PoolTimeoutError,
        ConnectionError,
        TimeoutError,
        asyncpg.PostgresError,
        *_DRIVER_ERRORS,
    ):
        api.add_exception_handler(kind, on_database_error)
