"""PostgreSQL access: one engine a process, transactions with an owner, and the check that code and schema
fit.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import MetaData, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from shared.errors import Unavailable

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000
CONNECT_TIMEOUT_S = 10
# Above the server's own limit: it ends only what waits for a server that no longer runs.
COMMAND_TIMEOUT_S = 35


class Base(DeclarativeBase):
    """Parent of all mapped classes; names constraints the same way everywhere."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class SchemaMismatchError(Exception):
    """Code and database schema do not fit; the message is one clear line."""


def _server_settings(schema: str) -> dict[str, str]:
    return {
        "search_path": f"{schema},public",
        "application_name": f"atrium-{schema}",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        "timezone": "UTC",
    }


def postgres_url(url: str) -> str:
    """`url` as asyncpg takes it.

    Raises:
        ValueError: another database than PostgreSQL.
    """
    backend = make_url(url).get_backend_name()
    if backend != "postgresql":
        raise ValueError(
            f"{backend} is not supported: Atrium keeps its ledger and locks in PostgreSQL only; set "
            "DATABASE_URL=postgresql://..."
        )
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def engine_of(url: str, *, connect: Mapping[str, Any] | None = None, **options: Any) -> AsyncEngine:
    """An engine that hands the whole address to asyncpg, which knows its `sslmode` and `sslrootcert`;
    SQLAlchemy passes on none of them. `connect` are further arguments of asyncpg.connect.
    """
    address, arguments = postgres_url(url), dict(connect or {})
    return create_async_engine(
        make_url(address).set(drivername="postgresql+asyncpg"),
        async_creator=lambda: asyncpg.connect(address, **arguments),
        **options,
    )


class Database:
    """The engine of one process over one schema. Sessions never expire what they loaded."""

    def __init__(self, url: str, *, schema: str, pool_max: int = 5) -> None:
        self.schema = schema
        self.engine = engine_of(
            url,
            pool_size=pool_max,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,
            pool_use_lifo=True,
            pool_recycle=1800,
            hide_parameters=True,
            connect={
                "server_settings": _server_settings(schema),
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": COMMAND_TIMEOUT_S,
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """A session whose transaction commits at the end of the block and rolls back when it raises."""
        async with self._sessions() as session, session.begin():
            yield session

    async def ping(self) -> None:
        """Raises: Unavailable when the database does not answer."""
        try:
            async with self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise Unavailable("the database does not answer; see its log and DATABASE_URL") from error

    async def dispose(self) -> None:
        await self.engine.dispose()


async def _keep_session(connection: Any) -> None:
    """Nothing to reset: users of a raw pool change no session state, and asyncpg's own reset is a second
    round trip for each call.
    """


async def create_raw_pool(
    url: str, *, schema: str, size_min: int = 1, size_max: int = 10, **options: Any
) -> "asyncpg.Pool[asyncpg.Record]":
    """A plain asyncpg pool for hot statements, with the same time-outs and search path as Database.

    Connections go back as they are: no SET, LISTEN or session lock on them. An open transaction is rolled
    back.
    """
    return await asyncpg.create_pool(
        postgres_url(url),
        min_size=size_min,
        max_size=size_max,
        server_settings=_server_settings(schema),
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        reset=_keep_session,
        **options,
    )


def function_names(package: str) -> list[str]:
    """The SQL functions that the code of the installed `package` calls (`shared.sql_functions`)."""
    return [path.stem for path in sorted(Path(str(files(package))).glob("*/functions/*.sql"))]


_MISSING_SQL = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE NOT EXISTS"
    " (SELECT FROM pg_proc p WHERE p.proname = name AND p.pronamespace = current_schema()::regnamespace)"
)


async def check_schema(
    database: Database, *, service: str, code_version: int, functions: Sequence[str] = ()
) -> None:
    """The schema may be ahead of the code, within its `min_code`, and never behind; it has all `functions`.

    Raises:
        SchemaMismatchError: behind, too far ahead, or not migrated at all.
        Unavailable: the database does not answer.
    """
    try:
        async with database.engine.connect() as connection:
            version = int(
                (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
            )
            min_code = int((await connection.execute(text("SELECT min_code FROM schema_info"))).scalar_one())
            missing = list((await connection.execute(_MISSING_SQL, {"names": list(functions)})).scalars())
    except (OSError, TimeoutError) as error:
        raise Unavailable(
            "the database does not answer; start it with `make deps` or set DATABASE_URL"
        ) from error
    except SQLAlchemyError as error:
        raise SchemaMismatchError(
            f"{service}: schema {database.schema} cannot be read; migrate it first (`make deps`) and check "
            "DATABASE_URL"
        ) from error
    how = "run the migrations (`make stop`, then `make run`)"
    if version < code_version:
        raise SchemaMismatchError(
            f"{service}: schema {database.schema} is at {version}, the code needs {code_version}; {how}"
        )
    if min_code > code_version:
        raise SchemaMismatchError(
            f"{service}: schema {database.schema} needs code of at least {min_code}, this is "
            f"{code_version}; upgrade the service"
        )
    if missing:
        raise SchemaMismatchError(
            f"{service}: schema {database.schema} lacks the function {missing[0]}; {how}"
        )
