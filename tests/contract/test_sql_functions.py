"""SQL functions are files that only change so that the version before can still call them
(docs/decisions/0050).
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from atrium_local.services import SERVICES, Service
from shared.sql_functions import function_files
from suite.history import ROOT, earlier_texts, git

_SIGNATURE = re.compile(
    r"^CREATE OR REPLACE FUNCTION (\w+)(\(.*?\)(?:\s+RETURNS .*?)?)\s+LANGUAGE ", re.DOTALL | re.MULTILINE
)
_MADE_OR_DROPPED = re.compile(r"\b(CREATE|DROP) (?:OR REPLACE )?FUNCTION (?:IF EXISTS )?(\w+)")

FILES = [path for service in SERVICES for path in function_files(ROOT / service.name)]


def signatures(sql: str) -> dict[str, str]:
    """Name to parameters and result of each function that a script makes."""
    plain = re.sub(r"--[^\n]*", "", sql)
    return {name: " ".join(rest.split()) for name, rest in _SIGNATURE.findall(plain)}


def broken_promises(old: str, new: str) -> list[str]:
    """What code that calls the functions of `old` would trip over in `new`."""
    now = signatures(new)
    return [
        f"{name}{was} is {now.get(name, 'gone')}"
        for name, was in signatures(old).items()
        if now.get(name) != was
    ]


def migration_texts() -> list[str]:
    return [
        path.read_text(encoding="utf-8")
        for service in SERVICES
        for path in (ROOT / service.name / "migrations").rglob("*")
        if path.suffix in {".py", ".sql"}
    ]


OLD = "CREATE OR REPLACE FUNCTION f(p_a uuid,\n    p_b text) RETURNS bigint\nLANGUAGE sql AS $$ SELECT 1 $$;"


@pytest.mark.parametrize(
    "new",
    [
        OLD.replace("p_b text", "p_b text, p_c text"),
        OLD.replace("p_b text", "p_b text, p_c text DEFAULT ''"),
        OLD.replace("p_b text", "p_b integer"),
        OLD.replace("p_b text", "p_c text"),
        OLD.replace("bigint", "numeric"),
        OLD.replace("FUNCTION f", "FUNCTION g"),
    ],
)
def test_another_signature_needs_another_name(new: str) -> None:
    assert broken_promises(OLD, new)


def test_another_body_is_the_same_function() -> None:
    assert (
        broken_promises(
            OLD,
            OLD.replace("SELECT 1", "SELECT 2").replace("p_a uuid,\n    p_b", "p_a uuid, -- whose\n  p_b"),
        )
        == []
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_makes_the_one_function_it_is_named_after(path: Path) -> None:
    assert list(signatures(path.read_text(encoding="utf-8"))) == [path.stem]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_function_changed_its_signature(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for earlier in earlier_texts(path.relative_to(ROOT).as_posix()):
        assert broken_promises(earlier, text) == [], (
            f"give the new function a name of its own, such as {path.stem}_2"
        )


def test_a_file_that_is_gone_left_a_migration_that_drops_its_function() -> None:
    deleted = (
        git("log", "--diff-filter=D", "--name-only", "--format=", "--", "*/functions/*.sql") or ""
    ).split()
    dropped = {
        name for text in migration_texts() for verb, name in _MADE_OR_DROPPED.findall(text) if verb == "DROP"
    }
    assert {Path(name).stem for name in deleted} - {path.stem for path in FILES} <= dropped


def test_no_migration_makes_a_function() -> None:
    made = [
        name
        for text in migration_texts()
        for verb, name in _MADE_OR_DROPPED.findall(text)
        if verb == "CREATE"
    ]
    assert made == [], "a function is a file: src/<package>/<feature>/functions/<name>.sql"


async def _make_again(url: str, schema: str, files: list[Path]) -> set[str]:
    """With their bodies checked, which needs all that they name; what there is besides."""
    connection = await asyncpg.connect(url, server_settings={"search_path": f"{schema},public"})
    try:
        for path in files:
            await connection.execute(path.read_text(encoding="utf-8"))
        names = await connection.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = $1::regnamespace", schema
        )
        return {row[0] for row in names} - {path.stem for path in files}
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_function_has_a_file_and_all_that_it_names(service: Service, postgres: Any) -> None:
    database = postgres.clone(service.name)
    try:
        assert (
            asyncio.run(_make_again(database.owner_url, service.schema, function_files(ROOT / service.name)))
            == set()
        )
    finally:
        postgres.drop(database)
