"""SQL functions as files, one function each, beside the Python that calls them. They are made after the
migrations.

A file is `src/<package>/<feature>/functions/<function>.sql`. While a new version of a service starts, the old
one still calls its functions, so a file may only change in a way that serves both; anything else is a new
function (docs/decisions/0050).
"""

import hashlib
from collections.abc import Sequence
from operator import methodcaller
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from asyncpg import PostgresError
from sqlalchemy import Connection, text

# The comment of a function names the text it was made from, so that a restored or hand-dropped function is
# made again.
_FUNCTIONS_SQL = text(
    "SELECT p.proname, p.oid::regprocedure::text AS signature, obj_description(p.oid, 'pg_proc') AS comment"
    " FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname = ANY (:names)"
)


class SqlFunctionError(CommandError):
    """A function cannot be made from its file; the message is one line."""


def function_files(service_root: Path) -> list[Path]:
    """The files of a service's functions, in the order of their paths."""
    return sorted(service_root.glob("src/*/*/functions/*.sql"))


def apply_functions(connection: Connection, paths: Sequence[Path]) -> list[str]:
    """Create or replace the functions whose text changed, in the caller's transaction and its current schema;
    their names.

    All of them change at the commit. A function without a file stays until a migration drops it.

    Raises:
        SqlFunctionError: a file is wrong, or asks for another signature than the function of this name has.
    """
    before = _functions(connection, paths)
    changed = [path for path in paths if list(before.get(path.stem, {}).values()) != [_mark(path)]]
    run_script(connection, "SET LOCAL check_function_bodies = off")  # they call each other, in any order
    for path in changed:
        _run(connection, path, path.read_text(encoding="utf-8"))
    after = _functions(connection, changed)
    for path in changed:
        signatures = list(after.get(path.stem, {}))
        if len(signatures) > 1:
            raise SqlFunctionError(
                f"{path.name}: {path.stem} takes other parameters now, and the version before still calls it;"
                f" give the new one a name of its own, such as {path.stem}_2"
            )
        if not signatures:
            raise SqlFunctionError(
                f"{path.name} makes no function {path.stem}; a file has the name of its function"
            )
        _run(connection, path, f"COMMENT ON FUNCTION {signatures[0]} IS '{_mark(path)}'")
    return [path.stem for path in changed]


def run_script(connection: Connection, sql: str) -> None:
    """Run several statements at once, colons and dollar quotes untouched, in the connection's transaction."""
    connection.execute(text("SELECT 1"))  # opens the transaction, which the driver's own call below would not
    adapted: Any = connection.connection.dbapi_connection
    adapted.run_async(methodcaller("execute", sql))


def _run(connection: Connection, path: Path, sql: str) -> None:
    try:
        run_script(connection, sql)
    except PostgresError as error:
        raise SqlFunctionError(f"{path.name}: {error}") from error


def _mark(path: Path) -> str:
    return f"made from {path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _functions(connection: Connection, paths: Sequence[Path]) -> dict[str, dict[str, str | None]]:
    """The comment of each function of these files that exists, by name and signature."""
    found: dict[str, dict[str, str | None]] = {}
    for row in connection.execute(_FUNCTIONS_SQL, {"names": [path.stem for path in paths]}):
        found.setdefault(row.proname, {})[row.signature] = row.comment
    return found
