"""`migrate`: what a container runs once, twice, by two at once, and what waits for it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from atrium_local.addresses import RolePasswords, database_of, role_url, with_database
from atrium_local.services import SERVICES, service_named
from databases import PostgresForTests
from shared.ids import uuid7
from shared.migrations import newest_revision
from shared.settings import environment
from suite.ports import free_port

ROOT = Path(__file__).parents[3]
CHAT = service_named("chat-service")
MIGRATE = [sys.executable, "-m", "atrium_local", "migrate"]


@pytest.fixture
def variables(postgres: PostgresForTests) -> dict[str, str]:
    """The environment of the container, for a database that is not there yet. The roles keep the passwords
    that other tests know.
    """
    passwords: dict[str, RolePasswords] = postgres.passwords
    return {
        **{name: value for name, value in environment().items() if not name.startswith("DATABASE_")},
        **{each.owner_password_variable: passwords[each].owner for each in SERVICES},
        **{each.app_password_variable: passwords[each].app for each in SERVICES},
        "DATABASE_ADMIN_URL": with_database(postgres.admin_url, f"fresh_{uuid7().hex}"),
    }


@pytest.fixture
def waiter(variables: dict[str, str], postgres: PostgresForTests) -> Iterator[subprocess.Popen[str]]:
    """What stands before a pod of chat-service: it knows the address of its own role and no other."""
    admin_url = variables["DATABASE_ADMIN_URL"]
    url = role_url(
        admin_url, database_of(admin_url), role=CHAT.app_role, password=postgres.passwords[CHAT].app
    )
    secrets = ("DATABASE_", *(each.schema.upper() for each in SERVICES))
    own = {name: value for name, value in variables.items() if not name.startswith(secrets)}
    with subprocess.Popen(
        [*MIGRATE, "--wait", CHAT.name, "--timeout", "100"],
        env={**own, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def run(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MIGRATE, *arguments], env=variables, capture_output=True, text=True, check=False)


async def version_of(url: str, schema: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(f"SELECT version_num FROM {schema}.alembic_version"))
    finally:
        await connection.close()


async def test_two_at_once_make_a_server_ready_and_a_third_changes_nothing(variables: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run(variables), range(2)))
    again = run(variables)
    for done in (*both, again):
        assert (done.returncode, done.stderr) == (0, "")
        assert "6 schemas" in done.stdout
    for service in SERVICES:
        version = await version_of(variables["DATABASE_ADMIN_URL"], service.schema)
        assert version == newest_revision(ROOT / service.name)
    assert run(variables, "--wait").returncode == 0


async def test_a_server_that_is_not_up_yet_is_waited_for(
    variables: dict[str, str], postgres: PostgresForTests
) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", postgres.server.port)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    port = free_port()
    url = variables["DATABASE_ADMIN_URL"].replace(f":{postgres.server.port}/", f":{port}/")
    process = await asyncio.create_subprocess_exec(
        *MIGRATE, env={**variables, "DATABASE_ADMIN_URL": url}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"waiting: the server of DATABASE_ADMIN_URL")
    async with await asyncio.start_server(forward, "127.0.0.1", port):
        assert await process.wait() == 0


def test_a_missing_password_is_named(variables: dict[str, str]) -> None:
    done = run({**variables, "CHAT_APP_PASSWORD": ""})
    assert done.returncode == 2
    assert done.stderr.startswith("CHAT_APP_PASSWORD must be set")


def test_one_that_waits_says_so_and_ends_when_the_schema_is_there(
    variables: dict[str, str], waiter: subprocess.Popen[str]
) -> None:
    assert waiter.stdout is not None
    first = waiter.stdout.readline()
    assert first.startswith("waiting: ")
    assert waiter.poll() is None
    assert run(variables).returncode == 0
    assert waiter.wait(60) == 0


def test_one_that_waited_too_long_says_what_is_missing(variables: dict[str, str]) -> None:
    done = run(variables, "--wait", CHAT.name, "--timeout", "0")
    assert done.returncode == 1
    assert "Look at the log of `migrate`" in done.stderr
