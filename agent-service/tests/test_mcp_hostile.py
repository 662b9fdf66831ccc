"""Servers that misbehave: whatever they do stays bounded, is told in plain words, and leaves
nothing behind.
"""

import asyncio
import contextlib
import gzip
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from agent_service.mcp.adapters import stdio
from agent_service.mcp.adapters.lazy import LazySdk
from agent_service.mcp.catalogue import Entry
from agent_service.mcp.connection import Connection
from agent_service.mcp.port import Limits, Server, ServerError, Stdio, StreamableHttp
from servers import read_body, serve
from shared.background import TaskTracker
from shared.ids import uuid7

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = Path(__file__).with_name("hostile_mcp.py")
LAUNCHER = Path(stdio.__file__).parent.parent / "launch.py"
LIMITS = Limits(
    answer_bytes_max=2_000_000,
    result_chars_max=2_000,
    files_max=3,
    file_bytes_max=1_000,
    tools_max=128,
    calls_max=8,
    idle_s=60,
)
Connect = Callable[..., Connection]


@pytest_asyncio.fixture(loop_scope="module")
async def connect() -> AsyncGenerator[Connect]:
    """A factory of connections to a target, closed with the test."""
    tasks, made = TaskTracker(), list[Connection]()

    def make(target: Stdio | StreamableHttp, *, limits: Limits = LIMITS, **changes: Any) -> Connection:
        fields = {"connect_timeout_s": 10, "call_timeout_s": 10, **changes}
        server = Server(id=uuid7(), name="h", source="file", target=target, revision="1", **fields)
        made.append(Connection(server, LazySdk(), limits, tasks))
        return made[-1]

    yield make
    for connection in made:
        await connection.close()
    assert await tasks.drain(5) == 0


def program(mode: str = "plain", *arguments: object, **env: str) -> Stdio:
    return Stdio(sys.executable, ("-I", "-S", str(SCRIPT), mode, *map(str, arguments)), env)


async def tool(connection: Connection, name: str) -> Entry:
    return next(entry for entry in await connection.catalogue() if entry.remote_name == name)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(notes: Path) -> list[int]:
    return [int(line.split()[1]) for line in notes.read_text().splitlines() if line.startswith("pid ")]


async def until(check: Callable[[], bool], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not check():  # noqa: ASYNC110 - what is checked lives in another process
            await asyncio.sleep(0.02)


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
    await until(lambda: not any(map(alive, pids(notes))))


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
    await until(lambda: "further lines are left out" in caplog.text)
    assert caplog.text.count("a line of complaint") == 200


async def test_a_stubborn_program_is_killed_with_what_it_started(connect: Connect, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("stubborn", notes))
    await connection.catalogue()
    assert len(pids(notes)) == 2
    assert all(map(alive, pids(notes)))
    await connection.close()
    await until(lambda: not any(map(alive, pids(notes))))


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
        await until(lambda: notes.exists() and len(pids(notes)) == 2)
        assert alive(pids(notes)[0])
        child.kill()
        await child.wait()
        await until(lambda: not alive(pids(notes)[0]))
    finally:
        for pid in pids(notes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


async def test_an_idle_connection_is_closed_and_opened_again(connect: Connect, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    connection = connect(program("plain", notes), limits=replace(LIMITS, idle_s=0.3))
    now = await tool(connection, "now")
    assert connection.is_open
    await until(lambda: not connection.is_open)
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


Reply = Callable[[dict[str, Any], Mapping[str, str], Any], Awaitable[None]]


class WebServer:
    """An MCP server over HTTP whose answer to each method a test can replace."""

    def __init__(self, **replies: Reply) -> None:
        self.replies = replies
        self.seen: list[tuple[str, str, Mapping[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = json.loads(body) if body else {}
        method = request.get("method", scope["method"])
        self.seen.append((method, scope["path"], headers))
        custom = self.replies.get(method.replace("/", "_"))
        if custom is not None:
            await custom(request, headers, send)
        elif "id" not in request:
            await respond(send, 202, b"")
        else:
            await reply(request, send)


async def reply(request: dict[str, Any], send: Any, **result: Any) -> None:
    standard: dict[str, Any] = {
        "initialize": {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "w", "version": "1"},
        },
        "tools/list": {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": "fine"}]},
    }
    if request["method"] not in standard:
        body = {
            "jsonrpc": "2.0",
            "id": request["id"],
            "error": {"code": -32601, "message": "Method not found"},
        }
    else:
        body = {"jsonrpc": "2.0", "id": request["id"], "result": result or standard[request["method"]]}
    more = {"mcp-session-id": "s1"} if request["method"] == "initialize" else {}
    await respond(send, 200, json.dumps(body).encode(), **more)


async def respond(
    send: Any, status: int, body: bytes, content_type: str = "application/json", **headers: str
) -> None:
    raw = [
        (b"content-type", content_type.encode()),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def http_target(base_url: str, **headers: str) -> StreamableHttp:
    return StreamableHttp(f"{base_url}/mcp", headers, private_allowed=True)


async def test_a_redirect_is_not_followed_wherever_it_leads(connect: Connect) -> None:
    async def elsewhere(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        await respond(send, 307, b"", location="http://169.254.169.254/latest/meta-data")

    async def next_door(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        await respond(send, 308, b"", location="/other")

    for redirect in (elsewhere, next_door):
        server = WebServer(initialize=redirect, server_discover=redirect)
        async with serve(server, lifespan="off") as base_url:
            with pytest.raises(ServerError, match=r"redirect .30[78]., which is not followed"):
                await connect(http_target(base_url)).catalogue()
        assert {path for _, path, _ in server.seen} == {"/mcp"}


async def test_a_host_that_resolves_to_a_metadata_address_gets_no_connection(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def resolve(_loop: Any, host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port)), (2, 1, 6, "", ("169.254.169.254", port))]

    server = WebServer()
    async with serve(server, lifespan="off") as base_url:
        with monkeypatch.context() as patched:
            patched.setattr(type(asyncio.get_running_loop()), "getaddrinfo", resolve)
            target = StreamableHttp(base_url.replace("127.0.0.1", "rebinding.example"), private_allowed=True)
            with pytest.raises(
                ServerError, match=r"169\.254\.169\.254 is a link-local, site-local or metadata address"
            ):
                await connect(target).catalogue()
    assert asked == ["rebinding.example"]
    assert server.seen == []


async def test_an_unknown_host_and_a_closed_port_are_told_apart(connect: Connect) -> None:
    with pytest.raises(ServerError, match=r"the host nowhere\.invalid is not known"):
        await connect(StreamableHttp("http://nowhere.invalid/mcp")).catalogue()
    with pytest.raises(ServerError, match="cannot be reached"):
        await connect(StreamableHttp("http://127.0.0.1:9/mcp", private_allowed=True)).catalogue()


async def test_configured_headers_go_with_every_request_and_refusals_say_what_to_check(
    connect: Connect,
) -> None:
    async def wants_token(request: dict[str, Any], headers: Mapping[str, str], send: Any) -> None:
        if headers.get("authorization") != "Bearer right":
            await respond(send, 401, b"who are you")
            return
        await reply(request, send)

    server = WebServer(initialize=wants_token, tools_list=wants_token, tools_call=wants_token)
    async with serve(server, lifespan="off") as base_url:
        with pytest.raises(ServerError, match="HTTP status 401; check the token"):
            await connect(http_target(base_url, Authorization="Bearer wrong")).catalogue()
        connection = connect(http_target(base_url, Authorization="Bearer right"))
        assert (await connection.call(await tool(connection, "t"), {})).text == "fine"
        await connection.close()
    sent = [headers for _, _, headers in server.seen if headers["authorization"] == "Bearer right"]
    assert len(sent) >= 4
    assert {headers["accept-encoding"] for headers in sent} == {"identity"}


async def _giant(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b'{"jsonrpc": "2.0", "id": 1, "result": "' + b"x" * 5_000_000 + b'"}')


async def _zipped(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, gzip.compress(b"x" * 5_000_000), content_encoding="gzip")


async def _giant_event(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b"data: " + b"x" * 5_000_000 + b"\n\n", "text/event-stream")


async def _page(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b"<html>", "text/html")


async def _fails(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 500, b"Traceback: secret")


async def _no_json(_request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
    await respond(send, 200, b"{oops")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_giant, "its answer is larger than 2000000 bytes"),
        (_zipped, "compressed although"),
        (_giant_event, "the connection broke down"),
        (_page, "refused the request"),
        (_fails, "HTTP status 500"),
        (_no_json, "does not follow the protocol"),
    ],
    ids=["giant", "gzip-bomb", "giant-event", "web-page", "server-error", "broken-json"],
)
async def test_answers_that_are_none_are_failed_results_and_nothing_worse(
    connect: Connect, answer: Reply, says: str
) -> None:
    server = WebServer(tools_call=answer)
    async with serve(server, lifespan="off") as base_url:
        connection = connect(http_target(base_url))
        t = await tool(connection, "t")
        result = await connection.call(t, {})
        assert result.failed
        assert says in result.text
        assert "Traceback" not in result.text
        server.replies.clear()
        assert (await connection.call(t, {})).text == "fine"
        await connection.close()


async def test_a_session_the_server_forgot_is_opened_again_without_a_failed_call(connect: Connect) -> None:
    forgotten: list[bool] = []

    async def once(request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        if not forgotten:
            forgotten.append(True)
            await respond(send, 404, b"")
            return
        await reply(request, send)

    server = WebServer(tools_call=once)
    async with serve(server, lifespan="off") as base_url:
        connection = connect(http_target(base_url))
        assert (await connection.call(await tool(connection, "t"), {})).text == "fine"
        await connection.close()
    assert [method for method, _, _ in server.seen].count("initialize") == 2


async def test_a_stream_of_unasked_messages_is_never_opened(connect: Connect) -> None:
    server = WebServer()
    async with serve(server, lifespan="off") as base_url:
        connection = connect(http_target(base_url))
        await connection.catalogue()
        await asyncio.sleep(0.2)
        await connection.close()
    assert "GET" not in {method for method, _, _ in server.seen}


async def test_calls_at_once_stay_within_their_number(connect: Connect) -> None:
    running, most = 0, 0

    async def counted(request: dict[str, Any], _headers: Mapping[str, str], send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        await reply(request, send)

    async with serve(WebServer(tools_call=counted), lifespan="off") as base_url:
        connection = connect(http_target(base_url), limits=replace(LIMITS, calls_max=3))
        t = await tool(connection, "t")
        results = await asyncio.gather(*(connection.call(t, {}) for _ in range(12)))
        await connection.close()
    assert {result.text for result in results} == {"fine"}
    assert most == 3
