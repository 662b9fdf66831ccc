"""Alembic for every service: one history and one version table per schema, run by the supervisor or a Job,
never at import.
"""

import asyncio
import logging
import sys
import time
from pathlib import Path
from typing import cast

from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from shared.db import engine_of
from shared.settings import environment
from shared.sql_functions import apply_functions, function_files, run_script

log = logging.getLogger(__name__)

VERSION_TABLE = "alembic_version"
_URL_ATTRIBUTE = "atrium_url"
_FUNCTIONS_ATTRIBUTE = "atrium_functions"
_LOCK_TIMEOUT = "5s"  # a migration that waits for a lock queues every query behind it
_TURN_PAUSE_S = 0.25


_PARTITIONS_SQL = text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table)"
)
_INDEX_VALID_SQL = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")

SCHEMA_INFO_SQL = """
CREATE TABLE schema_info (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), min_code int NOT NULL);
INSERT INTO schema_info (min_code) VALUES (1);
"""


def upgrade(service_root: Path, url: str, revision: str = "head") -> None:
    """Bring the schema of the service in `service_root` (the folder with `migrations/` and `src/`) to
    `revision`.

    At the newest revision its SQL functions follow (`shared.sql_functions`); those of today need not fit an
    older one. `url` is the postgresql:// address of the schema's owner. Runs its own event loop, so call it
    outside one (a thread will do); two calls at once in one process are not possible, alembic keeps global
    state.
    """
    config = Config()
    config.set_main_option("script_location", str(service_root / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes[_URL_ATTRIBUTE] = url
    config.attributes[_FUNCTIONS_ATTRIBUTE] = function_files(service_root) if revision == "head" else ()
    command.upgrade(config, revision)


def newest_revision(service_root: Path) -> int:
    """The number of the last migration of the service in `service_root`."""
    head = ScriptDirectory(str(service_root / "migrations")).get_current_head()
    return int(head or 0)


def owner_url() -> str:
    """Inside env.py: the address of the schema's owner that `upgrade` was called with."""
    return cast("str", context.config.attributes[_URL_ATTRIBUTE])


def run(schema: str) -> None:
    """The whole content of a service's migrations/env.py: apply what is pending, each revision in its own
    transaction.
    """
    asyncio.run(_run_online(schema, owner_url()))


def execute_script(sql: str) -> None:
    """Run several statements at once inside a migration, colons and dollar quotes untouched (functions,
    triggers).

    `op.execute` takes one statement and reads `:name` as a parameter.
    """
    run_script(op.get_bind(), sql)


def create_index_concurrently(name: str, *, on: str, definition: str) -> None:
    """Inside a migration: an index of table `on`, built without blocking its writers. `definition` follows
    the table's name.

    A partitioned table gets one index a partition, built one after the other. What a broken attempt left is
    built again. Must be all its migration does: it commits the transaction that it finds.
    """
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        run("SET lock_timeout = 0")  # it waits for transactions that are older, and blocks nobody meanwhile
        partitions = [str(row[0]) for row in op.get_bind().execute(_PARTITIONS_SQL, {"table": on})]
        for table in partitions or [on]:
            index = f"{name}_{table.rpartition('.')[2]}" if partitions else name
            if op.get_bind().execute(_INDEX_VALID_SQL, {"index": index}).scalar() is not True:
                run(f"DROP INDEX IF EXISTS {index}")
                run(f"CREATE INDEX CONCURRENTLY {index} ON {table} {definition}")
        if partitions:
            run(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {on} {definition}")
            for table in partitions:
                run(f"ALTER INDEX {name} ATTACH PARTITION {name}_{table.rpartition('.')[2]}")
        run(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")


async def _run_online(schema: str, url: str) -> None:
    engine = engine_of(url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_apply, schema)
    finally:
        await engine.dispose()


def _apply(connection: Connection, schema: str) -> None:
    connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET search_path = {schema}, public"))
    _take_turn(connection, schema)
    if _is_ahead(connection, schema):
        log.warning(
            "schema %s is ahead of this code; its migrations and functions are left as they are", schema
        )
        return
    context.configure(
        connection=connection,
        version_table=VERSION_TABLE,
        version_table_schema=schema,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
    with connection.begin():
        apply_functions(connection, context.config.attributes[_FUNCTIONS_ATTRIBUTE])


def _is_ahead(connection: Connection, schema: str) -> bool:
    """Whether newer code has migrated it: after a rollback the older code works on the newer schema, and
    must not bring its own functions back.
    """
    table = {"table": f"{schema}.{VERSION_TABLE}"}
    if connection.execute(text("SELECT to_regclass(:table)"), table).scalar() is None:
        connection.commit()
        return False
    found = text(f"SELECT version_num FROM {schema}.{VERSION_TABLE}")  # noqa: S608 - names of ours
    version = connection.execute(found).scalar()
    connection.commit()
    known = {script.revision for script in ScriptDirectory.from_config(context.config).walk_revisions()}
    return version is not None and version not in known and version > max(known)


def _take_turn(connection: Connection, schema: str) -> None:
    """Hold this schema's migrations for as long as the connection lives, after whoever holds them now.

    Asked for again and again: a statement that waits keeps a snapshot, which an index that the other one
    builds concurrently would wait for in turn; and `lock_timeout` would end the wait.
    """
    name = {"name": f"atrium-migrations-{schema}"}
    while not connection.execute(text("SELECT pg_try_advisory_lock(hashtext(:name))"), name).scalar():
        connection.commit()
        time.sleep(_TURN_PAUSE_S)
    connection.commit()


def main() -> None:
    """`python -m shared.migrations <service folder>`: what a Kubernetes Job runs, with the owner's
    DATABASE_URL.
    """
    url = environment().get("DATABASE_URL")
    if len(sys.argv) != 2 or not url:
        raise SystemExit(
            "usage: DATABASE_URL=postgresql://<schema owner> python -m shared.migrations <service folder>"
        )
    upgrade(Path(sys.argv[1]), url)


if __name__ == "__main__":
    main()
