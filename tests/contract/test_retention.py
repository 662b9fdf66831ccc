"""docs/retention.md names every table there is, and none that is not."""

import asyncio
import importlib
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from atrium_local.services import SERVICES, Service

PAGE = Path(__file__).resolve().parents[2] / "docs/retention.md"

# Partitions belong to their table.
_TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


def named_tables() -> dict[str, str]:
    """`schema.table` to its line of the page, whatever stands in the table's first column."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found: dict[str, str] = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found |= dict.fromkeys(re.findall(r"`([a-z_]+\.[a-z_]+)`", cells[0]), line)
    return found


async def _tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch(_TABLES)}
    finally:
        await connection.close()


def existing_tables(postgres: Any, service: Service) -> set[str]:
    database = postgres.clone(service.name)
    try:
        return asyncio.run(_tables(database.admin_url))
    finally:
        postgres.drop(database)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_table_of_a_service_has_an_end_or_a_reason(service: Service, postgres: Any) -> None:
    here = {
        name for name in named_tables() if name.split(".")[0] in {service.schema, f"{service.schema}_dbos"}
    }
    tables = existing_tables(postgres, service)
    assert tables - here == set(), (
        f"docs/retention.md says nothing of {sorted(tables - here)}; add a line for each"
    )
    assert here - tables == set(), f"docs/retention.md names {sorted(here - tables)}, which do not exist"


_UNINDEXED = {"_CHECKS_SQL"}  # of a table with a row per MCP server


def purge_statements(service: Service) -> dict[str, str]:
    """The statements of the service's purges, by their names, with values for their parameters."""
    module = importlib.import_module(f"{service.package}.retention.purges")
    found = {
        name: value
        for name, value in vars(module).items()
        if name.endswith("_SQL") and name not in _UNINDEXED
    }
    return {
        name: sql.replace(":keep", "'1 day'").replace(":rows_max", "10")
        for name, sql in found.items()
        if "DELETE" in sql
    }


async def _plans(url: str, schema: str, statements: dict[str, str]) -> dict[str, str]:
    connection = await asyncpg.connect(
        url, server_settings={"search_path": f"{schema},public", "enable_seqscan": "off"}
    )
    try:
        return {
            name: "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}"))
            for name, sql in statements.items()
        }
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_purge_reads_a_whole_table(service: Service, postgres: Any) -> None:
    statements = purge_statements(service)
    database = postgres.clone(service.name)
    try:
        plans = asyncio.run(_plans(database.owner_url, service.schema, statements))
    finally:
        postgres.drop(database)
    assert {name: plan for name, plan in plans.items() if "Seq Scan" in plan} == {}
    assert (len(statements) > 0) == (service.name != "retrieval-service")  # whose purges are all shared ones


def test_every_line_says_how_long_and_what_ends_it() -> None:
    for name, line in named_tables().items():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 4, line
        assert all(cells), f"{name} has an empty cell"


def test_every_setting_that_the_page_names_exists() -> None:
    settings = (PAGE.parent / "settings.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z_]*_(?:DAYS|S|MAX))`", PAGE.read_text(encoding="utf-8")))
    assert named
    assert {name for name in named if f"`{name}`" not in settings} == set()
