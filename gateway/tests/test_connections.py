"""Clients that connect and then say too little, or nothing."""

import asyncio
import math
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import gateways
import httpx
import pytest
from gateway_service.connections.guard import ConnectionGuard
from gateway_service.connections.limits import ConnectionLimits, is_within, site_of
from gateway_service.proxy.config import ProxyConfig
from gateways.proxy_stage import TOKEN, answer, raw, read_body, stage
from suite.waiting import eventually

AUTH = {"authorization": f"Bearer {TOKEN}"}
AUTH_LINE = f"Authorization: Bearer {TOKEN}\r\n".encode()
HASTY = ProxyConfig(connections=ConnectionLimits(head_s=0.3, body_s=0.6))
HALF_HEAD = b"POST /api/v1/auth/signin HTTP/1.1\r\nHost: x\r\nX-Slow: "
HALF_BODY = b"POST /api/v1/auth/signin HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"


async def ended(port: int, data: bytes, *, within_s: float) -> bytes:
    """What comes back until the server closes. Raises: TimeoutError when it does not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(within_s):
        received = await reader.read()
    writer.close()
    return received


async def reading_own(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await read_body(receive)
        await answer(send, body=b"own")


@pytest.mark.parametrize(
    ("data", "status"), [(b"", b""), (HALF_HEAD, b"HTTP/1.1 408"), (HALF_BODY, b"HTTP/1.1 408")]
)
async def test_a_stranger_who_does_not_finish_is_sent_away(data: bytes, status: bytes) -> None:
    async with stage(config=HASTY, own=reading_own) as setting:
        assert (await ended(setting.port, data, within_s=20)).startswith(status)


async def test_dripping_does_not_help() -> None:
    async with stage(config=HASTY, own=reading_own) as setting:
        for start in (b"GET / HTTP/1.1\r\nX: ", HALF_BODY):
            reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
            writer.write(start)
            received = b""
            async with asyncio.timeout(20):
                while not received:
                    writer.write(b"x")
                    try:
                        received = await asyncio.wait_for(reader.read(1000), 0.1)
                    except TimeoutError:
                        continue
            assert received.startswith(b"HTTP/1.1 408")
            writer.close()


async def test_the_rest_of_a_refused_body_is_not_waited_for() -> None:
    async with stage(config=HASTY) as setting:
        data = b"POST /api/v1/chats HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        received = await ended(setting.port, data, within_s=20)
        assert received.startswith(b"HTTP/1.1 401")
        assert received.count(b"HTTP/1.1") == 1


async def test_an_authorised_upload_may_take_its_time() -> None:
    async with stage(config=HASTY) as setting:
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.port)
        writer.write(
            b"POST /api/v1/retrieval/files HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" + AUTH_LINE + b"\r\n"
        )
        for _ in range(4):
            await asyncio.sleep(0.5)
            writer.write(b"x")
        assert (await asyncio.wait_for(reader.read(12), 20)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_quiet_stream_is_left_alone() -> None:
    async def upstream(_scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
        await asyncio.sleep(2)
        await answer_rest(send)

    async def answer_rest(send: Any) -> None:
        await send({"type": "http.response.body", "body": b"data: b\n\n", "more_body": False})

    async with (
        stage(upstream, config=HASTY) as setting,
        httpx.AsyncClient(base_url=setting.url, headers=AUTH, timeout=5) as http,
    ):
        assert (await http.get("/v1/models")).content == b"data: a\n\ndata: b\n\n"


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with stage() as setting:
        received = await raw(
            setting.port,
            b"GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n",
            answers=2,
        )
        assert received.count(b"HTTP/1.1 200") == 2
        assert received.index(b"own /one") < received.index(b"own /two")


async def test_one_address_has_its_share_of_connections() -> None:
    config = ProxyConfig(connections=ConnectionLimits(per_address_max=3, unbounded=()))
    async with stage(config=config) as setting:
        held = [await asyncio.open_connection("127.0.0.1", setting.port) for _ in range(3)]
        await eventually(lambda: setting.connections == 3)
        refused = await ended(setting.port, b"", within_s=20)
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in refused
        held.pop()[1].close()
        await eventually(lambda: setting.connections == 2)
        assert (await raw(setting.port, b"GET /own HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200")
        for _, writer in held:
            writer.close()


def test_an_ipv6_site_counts_as_one_client() -> None:
    assert site_of("2001:db8:1:2::7") == site_of("2001:db8:1:2:ffff::9") != site_of("2001:db8:1:3::7")
    assert site_of("::ffff:192.0.2.1") == site_of("192.0.2.1") != site_of("192.0.2.2")
    assert is_within("::ffff:127.0.0.1", ConnectionLimits().unbounded)
    assert not is_within("a-socket", ConnectionLimits().unbounded)


class Held:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.writing_since = math.inf
        self.was_cut = False

    def expire(self) -> None: ...

    def cut(self) -> None:
        self.was_cut = True


async def test_room_is_made_by_those_who_waited_longest_and_never_by_those_being_answered() -> None:
    guard = ConnectionGuard(ConnectionLimits(descriptors_reserve=10), lambda: 1, descriptors=lambda: 15)
    busy, old, young = Held(math.inf), Held(5.0), Held(9.0)
    for each in (busy, old, young):
        assert guard.admit(each, "192.0.2.1")
    fourth = Held(math.inf)
    assert guard.admit(fourth, "192.0.2.2")
    assert (busy.was_cut, old.was_cut, young.was_cut) == (False, False, False)
    assert guard.admit(Held(math.inf), "192.0.2.3")
    assert (busy.was_cut, old.was_cut, young.was_cut) == (False, True, False)
    assert guard.admit(Held(math.inf), "192.0.2.3")
    assert young.was_cut
    assert not guard.admit(Held(math.inf), "192.0.2.3")
    assert not busy.was_cut


SUPPORT = Path(gateways.__file__).parents[1]
SERVER = f"""
import resource, sys
sys.path.insert(0, {str(SUPPORT)!r})
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
import asyncio
from gateways.proxy_stage import stage

async def main():
    async with stage() as setting:
        print(setting.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@asynccontextmanager
async def narrow_server() -> AsyncIterator[int]:
    """A proxy and its upstream in a process that may have 1,024 descriptors and cannot raise that."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 60))
    finally:
        process.stdin.close()
        await process.wait()


async def test_idle_strangers_do_not_stop_a_gateway_with_few_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2000:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    kinds = (b"", HALF_HEAD, HALF_BODY)
    async with narrow_server() as port, AsyncExitStack() as held:
        for number in range(1100):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            held.callback(writer.close)
            writer.write(kinds[number % 3])
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=AUTH, timeout=5) as http:
            assert (await http.get("/own")).status_code == 200
            assert (await http.post("/v1/chat/completions", json={})).status_code == 200
