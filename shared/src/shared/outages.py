"""A database that went away is 503 with Retry-After, not 500: clients wait and try again, and nobody looks for a bug."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.errors import AppError, Unavailable, render_for_path

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_AFTER_S = 2
# An engine drops all its connections when one turns out dead, so the second attempt gets a new one.
_ATTEMPTS = 2


def is_outage(error: BaseException) -> bool:
    """Whether the database was out of reach, as opposed to a statement that failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _says_away(getattr(error.orig, "sqlstate", None))
    if isinstance(error, asyncpg.PostgresError):
        return _says_away(error.sqlstate)
    return isinstance(error, PoolTimeoutError | ConnectionError | TimeoutError | asyncpg.InterfaceError)


def _says_away(sqlstate: str | None) -> bool:
    # Class 08: connection exceptions; 57P01 to 57P03: shutting down, crashed, starting up.
    return sqlstate is not None and (sqlstate.startswith("08") or sqlstate in {"57P01", "57P02", "57P03"})


def database_down() -> Unavailable:
    """What a client hears meanwhile."""
    return Unavailable("the database does not answer; try again in a moment", code="database_down", retry_after_s=_RETRY_AFTER_S)


async def read_again_after_outage(read: Callable[[], Awaitable[T]]) -> T:
    """The result of `read`, which must change nothing, tried once more on a connection that died. Raises: Unavailable."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await read()
        except (DBAPIError, PoolTimeoutError, ConnectionError, TimeoutError) as error:
            if not is_outage(error):
                raise
            if attempt == _ATTEMPTS or not isinstance(error, DBAPIError):
                raise database_down() from error
    raise database_down()


def answer_outages(api: FastAPI) -> None:
    """Teaches the application to answer 503 while the database is away."""

    async def on_database_error(request: Request, error: Exception) -> Response:
        shown: AppError = database_down()
        if is_outage(error):
            log.warning("database out of reach", extra={"reason": type(error).__name__})
        else:
            log.error("request failed", exc_info=error)
            shown = AppError("something went wrong on our side; quote the request id to your operator")
        status, headers, body = render_for_path(shown, path=request.url.path, request_id=request.scope.get("atrium.request_id", ""))
        response = Response(body, status_code=status)
        response.raw_headers = [*headers, (b"content-length", str(len(body)).encode())]
        return response

    for kind in (DBAPIError, PoolTimeoutError, ConnectionError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        api.add_exception_handler(kind, on_database_error)
