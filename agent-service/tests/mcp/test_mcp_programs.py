"""Programs that misbehave as MCP servers: it stays bounded, is told, and leaves nothing behind."""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from agent_service.mcp.adapters import stdio
from agent_service.mcp.port import ServerError, Stdio
from mcp_worlds import LIMITS, SCRIPT, Connect, alive, pids, program, tool
from suite.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


LAUNCHER = Path(stdio.__file__).parent.parent / "launch.py"


async def test_a_huge_list_is_cut(connect: Connect) -> None:
    entries = await connect(
        program("huge-list"), limits=replace(LIMITS, answer_bytes_max=8_000_000)
    ).catalogue()
    assert len(entries) == 128
    assert all(len(entry.description) <= 1024 for entry in entries)


async def test_a_list_larger_than_a_message_may_be_is_refused(connect: Connect) -> None:
    with pytest.raises(ServerError, match="more than 2000000 bytes"):
        await connect(program("huge-list")).catalogue()


async def test_pages_without_end_are_read_to_a_limit(connect: Connect) -> None:
    assert len(await connect(program("endless-pages")).catalogue()) == 20


async def test_schemas_that_could_harm_are_refused_one_by_one(connect: Connect) -> None:
    entries = {entry.remote_name: entry for entry in await connect(program("schemas")).catalogue()}
    assert "nothing is fetched" in (entries["remote"].refused or "")
    assert "nested deeper" in (entries["deep"].refused or "")
    assert entries["redos"].parameters["properties"]["a"] == {"type": "string"}
    assert [entries[name].refused for name in ("good", "redos", "bad name/with:signs")] == [None] * 3
    names = [entry.name for entry in entries.values()]
    assert len(set(names)) == len(names) == 7
    assert max(map(len, names)) == 64


async def test_a_list_that_is_no_list_is_told_in_plain_words(connect: Connect) -> None:
    with pytest.raises(ServerError) as refused:
        await connect(program("not-a-schema")).catalogue()
    assert str(refused.value) == "what it answered does not follow the protocol"


async def test_a_server_that_never_greets_is_given_up_and_killed(connect: Connect, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("mute", notes), connect_timeout_s=1)
    async with asyncio.timeout(20):
        with pytest.raises(ServerError, match="in time"):
            await connection.catalogue()
    await eventually(lambda: not any(map(alive, pids(notes))))


async def test_a_slow_call_ends_at_its_time_out_and_the_next_one_works(connect: Connect) -> None:
    connection = connect(program(), call_timeout_s=0.7)
    async with asyncio.timeout(20):
        result = await connection.call(await tool(connection, "slow"), {})
    assert (result.failed, result.text) == (True, "The tool did not answer within 0.7 seconds.")
    assert connection.health.failures == 1


async def test_a_giant_result_ends_the_connection_not_the_service(connect: Connect) -> None:
    connection = connect(program())
    result = await connection.call(await tool(connection, "giant"), {})
    assert result.failed
    assert "more than 2000000 bytes" in result.text
    assert (await connection.call(await tool(connection, "now"), {})).text == "called now"


async def test_a_long_result_keeps_its_beginning_and_end(connect: Connect) -> None:
    connection = connect(program())
    text = (await connection.call(await tool(connection, "long"), {})).text
    assert len(text) <= 2_000
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "characters left out" in text


async def test_a_server_that_dies_in_a_call_is_told_and_started_again(
    connect: Connect, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("plain", notes))
    result = await connection.call(await tool(connection, "die"), {})
    assert result.failed
    assert "ended with status 3; its last words: Segmentation fault (almost)" in result.text
    assert (await connection.call(await tool(connection, "now"), {})).text == "called now"
    assert len(pids(notes)) == 2


async def test_a_repeatable_call_is_repeated_when_the_server_dies_and_another_is_not(
    connect: Connect, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("plain", notes))
    assert (await connection.call(await tool(connection, "die-once"), {})).text == "called die-once"
    assert (await connection.call(await tool(connection, "die-once-writing"), {})).failed
    lines = notes.read_text().splitlines()
    assert lines.count("died in die-once") == 2
    assert lines.count("died in die-once-writing") == 1


async def test_a_server_that_keeps_dying_is_left_alone_for_a_while(connect: Connect, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('.')\nraise SystemExit('no config')"
    connection = connect(Stdio(sys.executable, ("-c", code)))
    for _ in range(3):
        with pytest.raises(ServerError):
            await connection.catalogue()
    started = starts.read_text()
    with pytest.raises(ServerError, match=r"last words: no config \(tried again in"):
        await connection.catalogue()
    assert starts.read_text() == started
    with pytest.raises(ServerError) as refused:  # a check asks at once
        await connection.check()
    assert "tried again" not in str(refused.value)


async def test_a_program_that_is_not_there_is_named(connect: Connect) -> None:
    with pytest.raises(ServerError, match="/no/such/program cannot be started: No such file or directory"):
        await connect(Stdio("/no/such/program")).catalogue()
    with pytest.raises(ServerError, match="the program cannot be started"):
        await connect(Stdio(sys.executable, cwd="/no/such/folder")).catalogue()


async def test_a_program_gets_the_configured_environment_and_nothing_else(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    connection = connect(program("plain", TZ="UTC"))
    seen = json.loads((await connection.call(await tool(connection, "env"), {})).text)
    assert seen.pop("TZ") == "UTC"
    assert set(seen) <= {"LC_CTYPE"}  # Python sets that itself


async def test_noise_on_its_output_and_floods_of_complaints_do_no_harm(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    connection = connect(program("chatty"))
    assert (await connection.call(await tool(connection, "now"), {})).text == "called now"
    await eventually(lambda: "further lines are left out" in caplog.text)
    assert caplog.text.count("a line of complaint") == 200


async def test_a_stubborn_program_is_killed_with_what_it_started(connect: Connect, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("stubborn", notes))
    await connection.catalogue()
    assert len(pids(notes)) == 2
    assert all(map(alive, pids(notes)))
    await connection.close()
    await eventually(lambda: not any(map(alive, pids(notes))))


async def test_a_program_dies_with_the_service_even_by_kill_9(tmp_path: Path) -> None:
    """The launcher binds it to whoever started it; here a process that does nothing else."""
    notes = tmp_path / "notes"
    python = [sys.executable, "-I", "-S"]
    service = (
        "import os, subprocess, time\n"
        f"command = [*{[*python, str(LAUNCHER)]!r}, str(os.getpid()), "
        f"*{[*python, str(SCRIPT), 'stubborn', str(notes)]!r}]\n"
        "subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    child = await asyncio.create_subprocess_exec(*python, "-c", service)
    try:
        await eventually(lambda: notes.exists() and len(pids(notes)) == 2)
        assert alive(pids(notes)[0])
        child.kill()
        await child.wait()
        await eventually(lambda: not alive(pids(notes)[0]))
    finally:
        for pid in pids(notes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


async def test_an_idle_connection_is_closed_and_opened_again(connect: Connect, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("plain", notes), limits=replace(LIMITS, idle_s=0.3))
    now = await tool(connection, "now")
    assert connection.is_open
    await eventually(lambda: not connection.is_open)
    assert (await connection.call(now, {})).text == "called now"
    assert len(pids(notes)) == 2


async def test_files_are_decoded_bounded_and_plainly_named(connect: Connect) -> None:
    connection = connect(program())
    result = await connection.call(await tool(connection, "files"), {})
    assert [(file.name, file.content_type, file.content) for file in result.files] == [
        ("files-1.png", "image/png", b"hello"),
        ("pass_wd_", "text/plain", b"hello"),
        ("files-3.png", "image/png", b"hello"),
    ]
    assert "could not be decoded" in result.text
    assert "a link: https://example.com/a" in result.text
    assert "further file was left out" in result.text


async def test_errors_of_a_tool_are_failed_results_in_its_own_bounded_words(connect: Connect) -> None:
    connection = connect(program())
    said = await connection.call(await tool(connection, "says-error"), {})
    assert (said.failed, said.text) == (True, "the disk is full")
    refused = await connection.call(await tool(connection, "refuses"), {})
    assert refused.failed
    assert refused.text.startswith("The tool refused: a must be a number")
    assert len(refused.text) < 600
    broken = await connection.call(await tool(connection, "leaks-library-text"), {})
    assert (broken.failed, broken.text) == (
        True,
        "The tool could not be called: what it answered does not follow the protocol.",
    )
