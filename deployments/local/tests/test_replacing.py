"""A service on sockets that outlive its process: replaced, killed and wrongly set, seen from somebody who
keeps connecting.
"""

import asyncio
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest
from atrium_local import supervised
from atrium_local.errors import LocalError
from atrium_local.life import Life
from atrium_local.listeners import Listener
from atrium_local.serve import NOT_OPENED, Line
from atrium_local.stack import _free_ports
from atrium_local.supervised import Supervised
from suite.waiting import eventually
from watched import PATIENCE_S, asked_all_the_time, owner, running


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("by_signal", [False, True])
async def test_a_replaced_service_refuses_nobody_and_ends_its_streams_well(
    tmp_path: Path, *, exclusive: bool, by_signal: bool
) -> None:
    async with running(tmp_path, exclusive=exclusive) as watched:
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        async with (
            httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
            asked_all_the_time(watched.url) as answers,
        ):
            streaming = asyncio.create_task(http.get(f"{watched.url}/stream"))
            await eventually(lambda: len(answers) > 3)
            if by_signal:
                os.kill(first, signal.SIGTERM)
                await eventually(lambda: watched.process.identity is not None and watched.pid() != first)
                assert await watched.process.wait_ready(PATIENCE_S)
            else:
                await watched.process.replace("because")
            second = watched.pid()
            seen = len(answers)
            await eventually(lambda: len(answers) > seen + 3)
            stream = await streaming
        assert second != first
        assert {answer.status_code for answer in answers} == {200}
        assert {int(answer.text) for answer in answers} == {first, second}
        assert stream.text == "piece " * 20 + str(first)


async def test_a_successor_answers_before_the_former_process_has_let_go(tmp_path: Path) -> None:
    """And who needs what only one may own waits for it."""
    (tmp_path / "keep").touch()
    async with (
        running(tmp_path, exclusive=True) as watched,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
    ):
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        replacing = asyncio.create_task(watched.process.replace("because"))
        await eventually(lambda: watched.pid() != first)
        second = watched.pid()

        async def answering() -> int:
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as new:
                return int((await new.get(watched.url)).text)

        async with asyncio.timeout(PATIENCE_S):
            while await answering() != second:
                pass
        assert owner(tmp_path) == first
        using = asyncio.create_task(http.get(f"{watched.url}/owned"))
        assert await answering() == second
        assert not using.done()
        (tmp_path / "keep").unlink()
        assert int((await using).text) == second
        assert owner(tmp_path) == second
        await replacing


async def test_a_stream_that_lasts_keeps_nothing_from_the_successor(tmp_path: Path) -> None:
    (tmp_path / "streams").touch()
    async with (
        running(tmp_path, exclusive=True, drain_s=60) as watched,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
    ):
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        async with http.stream("GET", f"{watched.url}/kept") as stream:
            pieces = stream.aiter_bytes()
            await anext(pieces)
            await watched.process.replace("because")
            assert owner(tmp_path) == watched.pid() != first
            (tmp_path / "streams").unlink()
            rest = b"".join([piece async for piece in pieces])
        assert rest.endswith(str(first).encode())


async def test_a_successor_that_cannot_open_what_it_is_to_own_is_started_again(tmp_path: Path) -> None:
    async with (
        running(tmp_path, exclusive=True) as watched,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
    ):
        assert await watched.process.wait_ready(PATIENCE_S)
        (tmp_path / "broken").touch()
        replacing = asyncio.create_task(watched.process.replace("because"))
        await eventually(lambda: watched.process.last_exit == NOT_OPENED)
        (tmp_path / "broken").unlink()
        await replacing
        assert int((await http.get(f"{watched.url}/owned")).text) == owner(tmp_path) == watched.pid()


async def test_who_connects_while_a_killed_service_comes_back_waits_and_is_served(tmp_path: Path) -> None:
    async with running(tmp_path) as watched, httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: watched.process.identity is None or watched.pid() != first)
        answer = await http.get(watched.url)
        assert answer.status_code == 200
        assert int(answer.text) != first


async def test_when_it_takes_long_everybody_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervised, "_QUEUE_S", 0.0)
    monkeypatch.setattr(supervised, "_PAUSES_S", (3600.0,))
    async with running(tmp_path) as watched, httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        assert await watched.process.wait_ready(PATIENCE_S)
        os.kill(watched.pid(), signal.SIGKILL)
        await eventually(lambda: watched.process.state == "restarting")
        answer = await http.post(watched.url, json={"model": "any"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["code"] == answer.json()["error"]["code"] == "service_away"
        watched.process.wake()
        assert await watched.process.wait_ready(PATIENCE_S)
        assert (await http.get(watched.url)).status_code == 200


async def test_who_is_still_sending_hears_that_the_service_is_away() -> None:
    """Closed with a part of the request unread, the connection would be reset, and the answer lost."""
    port = _free_ports(["app"])["app"]
    listener = Listener.open("cats-service", "127.0.0.1", port, variable="CATS_PORT")
    await listener.stand_in()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(b"POST /upload HTTP/1.1\r\nhost: cats\r\ncontent-length: 8000000\r\n\r\n")
            for _ in range(80):
                writer.write(bytes(100_000))
                await writer.drain()
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"}")
        writer.close()
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("said", "ends"),
    [(b"E", True), (b"EE", True), (b"", False)],
    ids=["told", "told twice, as by a stop during a restart", "by a stranger"],
)
def test_a_process_knows_whose_sigterm_it_is(said: bytes, ends: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        line = Line(theirs.detach())
        line._socket.setblocking(False)
        ours.sendall(said)
        assert line.told_to_end() is ends
    assert line.told_to_end()  # the supervisor is gone
    line._socket.close()


@pytest.mark.parametrize("exclusive", [False, True])
async def test_a_replacement_that_cannot_start_leaves_the_old_one_at_work(
    tmp_path: Path, *, exclusive: bool
) -> None:
    async with (
        running(tmp_path, exclusive=exclusive) as watched,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
    ):
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        (tmp_path / "app" / "main.py").write_text("raise SystemExit('this version is broken')")
        with pytest.raises(LocalError, match="this version is broken"):
            await watched.process.replace("because")
        assert int((await http.get(watched.url)).text) == first


async def test_settings_found_wrong_while_it_starts_are_one_line_and_status_two(tmp_path: Path) -> None:
    (tmp_path / "wrong").touch()
    async with running(tmp_path) as watched:
        assert not await watched.process.wait_ready(PATIENCE_S)
        assert watched.process.wrong_settings
        assert watched.process.last_log_line().endswith("cannot start: NUMBER_OF_CATS must be even")
        assert "Traceback" not in (tmp_path / "cats.log").read_text()


async def test_a_frozen_service_is_replaced(tmp_path: Path) -> None:
    async with running(tmp_path) as watched:
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        os.kill(first, signal.SIGSTOP)
        async with asyncio.timeout(15), httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
            assert int((await http.get(watched.url)).text) != first
            await eventually(lambda: watched.process.reason == "did not answer 3 health checks")


@pytest.mark.parametrize("exclusive", [False, True])
async def test_the_next_process_answers_before_a_frozen_one_is_given_up(
    tmp_path: Path, *, exclusive: bool
) -> None:
    async with (
        running(tmp_path, exclusive=exclusive) as watched,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
    ):
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        os.kill(first, signal.SIGSTOP)
        answer = await http.get(watched.url)
        assert int(answer.text) != first
        await eventually(lambda: watched.process.identity is not None and watched.pid() == int(answer.text))
        assert await watched.process.wait_ready(PATIENCE_S)
        assert int((await http.get(f"{watched.url}/owned")).text) == watched.pid() == owner(tmp_path)
        assert watched.process.reason == "did not answer 3 health checks"


async def test_a_process_that_was_silent_for_a_moment_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Life] = []
    begin = Supervised._begin_other

    def begin_other(process: Supervised, *, at_once: bool) -> Life:
        prepared.append(begin(process, at_once=at_once))
        os.kill(process.identity.pid if process.identity else 0, signal.SIGCONT)
        return prepared[-1]

    monkeypatch.setattr(Supervised, "_begin_other", begin_other)
    async with (
        running(tmp_path, exclusive=True) as watched,
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http,
    ):
        assert await watched.process.wait_ready(PATIENCE_S)
        first = watched.pid()
        os.kill(first, signal.SIGSTOP)
        await eventually(lambda: bool(prepared) and not prepared[0].alive())
        assert int((await http.get(f"{watched.url}/owned")).text) == watched.pid() == owner(tmp_path) == first


async def test_a_frozen_service_is_stopped_within_seconds(tmp_path: Path) -> None:
    async with running(tmp_path) as watched:
        assert await watched.process.wait_ready(PATIENCE_S)
        os.kill(watched.pid(), signal.SIGSTOP)
        async with asyncio.timeout(20):
            await watched.process.stop()
