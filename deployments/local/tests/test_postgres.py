"""The embedded server: passwords only, survives kill -9, and says what is wrong in one line."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from atrium_local import engines, postgres
from atrium_local.errors import LocalError
from atrium_local.installation import Installation
from atrium_local.postgres import PostgresServer, bin_directory
from atrium_local.processes import ProcessIdentity
from atrium_local.settings import LocalSettings
from atrium_local.stack import _free_ports
from atrium_local.state import read_engines


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    made = PostgresServer(
        data_dir=tmp_path / "data",
        port=_free_ports(["postgres"])["postgres"],
        password=secrets.token_urlsafe(16),
        log_path=tmp_path / "postgres.log",
        throwaway=True,
    )
    yield made
    made.stop()


async def test_only_the_password_opens_it_and_it_listens_on_loopback_only(server: PostgresServer) -> None:
    server.initialise()
    server.start()
    connection = await asyncpg.connect(server.admin_url)
    assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    assert await connection.fetchval("SHOW unix_socket_directories") == ""
    assert await connection.fetchval("SHOW password_encryption") == "scram-sha-256"
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.admin_url.replace(server.password, "guess"))
    assert (server.data_dir.stat().st_mode & 0o777) == 0o700


async def test_data_survives_kill_minus_nine(server: PostgresServer) -> None:
    server.initialise()
    server.start()
    connection = await asyncpg.connect(server.admin_url)
    await connection.execute("CREATE TABLE kept (a int)")
    await connection.execute("INSERT INTO kept VALUES (7)")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:  # noqa: ASYNC110 - the process is the operating system's
        await asyncio.sleep(0.01)
    server.start()
    connection = await asyncpg.connect(server.admin_url)
    assert await connection.fetchval("SELECT a FROM kept") == 7
    await connection.close()


def test_a_second_initialise_keeps_what_is_there(server: PostgresServer) -> None:
    server.initialise()
    marker = server.data_dir / "PG_VERSION"
    before = marker.stat().st_mtime_ns
    server.initialise()
    assert marker.stat().st_mtime_ns == before


def test_a_power_cut_at_any_moment_of_the_first_start_leaves_a_home_that_starts(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """initdb is killed at several points of its work, as a power cut would end everything."""
    for delay_s in (0.05, 0.3, 0.6):
        with monkeypatch.context() as patch:
            patch.setattr(postgres.subprocess, "run", killing_after(delay_s))
            with pytest.raises(PowerCut):
                server.initialise()
        assert not (server.data_dir / "PG_VERSION").exists()
    unfinished = server.data_dir.with_name("data.unfinished")
    assert unfinished.exists()
    server.initialise()
    server.start()
    assert server.is_ready()
    assert not unfinished.exists()


class PowerCut(Exception):
    """The machine is off: nothing more runs, nothing cleans up."""


def killing_after(delay_s: float) -> Callable[..., Any]:
    def run(command: list[str], **_: Any) -> Any:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise PowerCut

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_initdb_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """It would go on writing into the folder that the next start makes under the same name."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "initdb"
    program.write_text(
        f"#!/bin/sh\necho $$ > {tmp_path}/began.new && mv {tmp_path}/began.new {tmp_path}/began\nexec sleep "
        "600\n"
    )
    program.chmod(0o755)
    code = (
        "from pathlib import Path\nfrom atrium_local.postgres import PostgresServer\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "PostgresServer(data_dir=folder / 'data', port=1, password='x', log_path=folder / 'log', "
        "bin_dir=folder / 'bin').initialise()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        until((tmp_path / "began").exists)
        initdb = ProcessIdentity.of(int((tmp_path / "began").read_text()))
        parent.kill()
    assert initdb is not None
    until(lambda: not initdb.alive())


def test_engines_that_were_just_started_are_known_whatever_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a server that nobody knows would hold its port and its data."""
    monkeypatch.setenv("POSTGRES_PORT", str(_free_ports(["postgres"])["postgres"]))
    settings = LocalSettings(atrium_home=tmp_path / "home", atrium_model="none", postgres_fsync=False)
    installation = Installation.open(settings)

    def ctrl_c(_server: PostgresServer, _pid: int) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(PostgresServer, "answers_as", ctrl_c)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(engines.start_engines(installation))
        assert [engine.name for engine in read_engines(installation.home.engines)] == ["postgres"]
    finally:
        assert engines.stop_engines(read_engines(installation.home.engines)) == ["postgres"]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_files_that_are_no_data_are_not_written_over(server: PostgresServer) -> None:
    server.data_dir.mkdir()
    (server.data_dir / "letter.txt").write_text("dear")
    with pytest.raises(LocalError, match="are no PostgreSQL data"):
        server.initialise()
    assert (server.data_dir / "letter.txt").exists()


def test_an_older_data_directory_is_refused_in_one_line(server: PostgresServer) -> None:
    server.initialise()
    (server.data_dir / "PG_VERSION").write_text("15\n")
    with pytest.raises(
        LocalError, match=r"was made by PostgreSQL 15, these programs are 18: set PG_BIN"
    ) as refusal:
        server.initialise()
    assert "\n" not in str(refusal.value)


def test_a_server_that_cannot_start_says_why(server: PostgresServer) -> None:
    server.initialise()
    (server.data_dir / "postgresql.conf").write_text("no such setting = 1\n")
    with pytest.raises(LocalError, match=r"PostgreSQL did not start: .*postgresql\.conf"):
        server.start()


def test_pg_bin_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="PG_BIN"):
        bin_directory(tmp_path)
