"""A typed face for the untyped driver: one administrator's connection at a time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg

_CONNECT_TIMEOUT_S = 10

_connect = cast("Any", asyncpg.connect)  # pyright: ignore[reportUnknownMemberType] - asyncpg ships no types
SqlError = asyncpg.PostgresError
# The second when the other one commits at the same moment.
DUPLICATE_DATABASE = (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError)
ServerStarting = asyncpg.CannotConnectNowError


class AdminConnection:
    """Plain SQL on one connection; statements outside `transaction()` commit by themselves."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def execute(self, statement: str, *arguments: object) -> None:
        """Run a statement for its effect."""
        await self._raw.execute(statement, *arguments)

    async def value(self, query: str, *arguments: object) -> object:
        """First column of the first row, None without rows."""
        return cast("object", await self._raw.fetchval(query, *arguments))

    async def row(self, query: str, *arguments: object) -> dict[str, object] | None:
        """The first row, None without rows."""
        record = await self._raw.fetchrow(query, *arguments)
        return None if record is None else dict(record)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Commits at the end, rolls back on an error."""
        async with self._raw.transaction():
            yield


@asynccontextmanager
async def admin_connection(url: str) -> AsyncGenerator[AdminConnection]:
    """A connection that is closed at the end of the block."""
    raw = await _connect(url, timeout=_CONNECT_TIMEOUT_S)
    try:
        yield AdminConnection(raw)
    finally:
        await raw.close()
