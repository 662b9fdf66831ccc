"""The upstream pool and hostile input: requests that could be read as two, answers that break the framing."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import OK, answering, fetch, pool_of, serve
from shared.http import InvalidRequest, UpstreamError, UpstreamProtocolError
from suite.waiting import eventually


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            id="both framings",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!", id="two lengths"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            id="other coding",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nok", id="identity"),
        pytest.param(
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", id="unasked upgrade"
        ),
        pytest.param(b"HTTP/2.0 200 OK\r\n\r\n", id="other version"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx-a: b\x01c\r\ncontent-length: 0\r\n\r\n", id="control byte"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx-a: b\nx-b: c\r\ncontent-length: 0\r\n\r\n", id="bare line feed"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n", id="long head"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300 + b"content-length: 0\r\n\r\n", id="many fields"
        ),
        pytest.param(b"HTTP/1.1 100 C\r\n\r\n" * 9 + OK, id="endless interim"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="no HTTP"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n", id="bad chunk size"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"e" * 200_000,
            id="endless chunk extension",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: " + b"e" * 200_000,
            id="endless trailer",
        ),
    ],
)
async def test_an_answer_that_breaks_the_protocol_is_an_error(answer: bytes) -> None:
    async with serve(answering(answer)) as server, pool_of() as pool:
        with pytest.raises(UpstreamProtocolError):
            await fetch(pool, server.origin)
        await eventually(lambda: pool.connections == 0)


def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            await asyncio.sleep(0)
            yield part

    return body()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what came after the head, until the chunked end or 11 bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = await (reader.readuntil(b"0\r\n\r\n") if b"chunked" in head else reader.readexactly(11))
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    await writer.drain()
    await reader.read(-1)


async def test_a_stream_without_length_goes_out_chunked() -> None:
    body = pieces(b"hello ", b"", b"world")
    async with (
        serve(echo) as server,
        pool_of() as pool,
        pool.request("POST", server.origin, b"/", [], body=body) as response,
    ):
        assert await response.read(1000) == b"6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"


async def test_a_stream_with_a_length_goes_out_as_it_is() -> None:
    async with serve(echo) as server, pool_of() as pool:
        headers = [(b"content-length", b"11")]
        async with pool.request(
            "POST", server.origin, b"/", headers, body=pieces(b"hello ", b"world")
        ) as response:
            assert await response.read(1000) == b"hello world"


@pytest.mark.parametrize("parts", [(b"too short",), (b"much ", b"too long for its length")])
async def test_a_stream_that_differs_from_its_length_closes_the_connection(parts: tuple[bytes, ...]) -> None:
    async with serve(echo) as server, pool_of() as pool:
        with pytest.raises(InvalidRequest):
            async with pool.request(
                "POST", server.origin, b"/", [(b"content-length", b"11")], body=pieces(*parts)
            ):
                pass
        await eventually(lambda: pool.connections == 0)


async def test_an_early_refusal_ends_the_upload() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read(-1)

    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            await asyncio.sleep(0.001)
            yield b"x" * 1000

    async with serve(handler) as server, pool_of() as pool:
        async with pool.request("POST", server.origin, b"/", [], body=endless()) as response:
            assert (response.status, await response.read(10)) == (413, b"no")
        assert taken < 1000
        await eventually(lambda: pool.connections == 0)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (b"/a b", []),
        (b"/a\r\nx: y", []),
        (b"http://other/", []),
        (b"/\x00", []),
        (b"/\xff", []),
        (b"/", [(b"x", b"a\r\nb: c")]),
        (b"/", [(b"x", b"a\nb: c")]),
        (b"/", [(b"x", b"a\x00")]),
        (b"/", [(b"x y", b"a")]),
        (b"/", [(b"x\ny", b"a")]),
        (b"/", [(b"", b"a")]),
        (b"/", [(b"X-Upper", b"a")]),
        (b"/", [(b"host", b"other")]),
        (b"/", [(b"transfer-encoding", b"chunked")]),
        (b"/", [(b"connection", b"close")]),
        (b"/", [(b"content-length", b"5")]),
        (b"/", [(b"content-length", b"0"), (b"content-length", b"0")]),
        (b"/", [(b"content-length", b"+0")]),
    ],
)
async def test_a_request_that_could_be_read_as_two_is_refused_unsent(
    target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    async with serve(answering(OK)) as server, pool_of() as pool:
        with pytest.raises(InvalidRequest):
            async with pool.request("GET", server.origin, target, headers):
                pass
        assert server.connections == 0


@pytest.mark.parametrize(
    "origin", ["ftp://x", "http://x/path", "http://user@x", "http://x:99999", "x:80", "http://x\r\n"]
)
async def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    async with pool_of() as pool:
        with pytest.raises(InvalidRequest):
            await fetch(pool, origin)


@settings(max_examples=150, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=300), st.binary(max_size=60).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)
    )
)
def test_arbitrary_bytes_end_in_an_answer_or_an_upstream_error(data: bytes) -> None:
    async def run() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)

        async with serve(handler) as server, pool_of() as pool:
            try:
                status, _ = await fetch(pool, server.origin)
                assert 200 <= status <= 599
            except UpstreamError:
                pass
            await eventually(lambda: pool.connections == 0)

    asyncio.run(run())


@settings(max_examples=40, deadline=None)
@given(body=st.binary(max_size=200), cuts=st.lists(st.integers(1, 400), max_size=6), chunked=st.booleans())
def test_any_split_of_the_answer_gives_the_same_body(body: bytes, cuts: list[int], chunked: bool) -> None:
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    head = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
    answer = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + (framed if chunked else body)
    edges = [0, *sorted({cut for cut in cuts if cut < len(answer)}), len(answer)]

    async def run() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n")
                for start, end in itertools.pairwise(edges):
                    writer.write(answer[start:end])
                    await writer.drain()
                    await asyncio.sleep(0)

        async with serve(handler) as server, pool_of() as pool:
            assert await fetch(pool, server.origin) == (200, body)
            assert await fetch(pool, server.origin) == (200, body)
            assert server.connections == 1

    asyncio.run(run())
