"""The upstream pool against real sockets: what it promises its callers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from raw_server import FAST, OK, Handler, answering, fetch, pool_of, serve
from shared.http import (
    PoolLimits,
    ResponseTooLarge,
    Timeouts,
    UpstreamBusy,
    UpstreamConnectError,
    UpstreamDisconnected,
    UpstreamPool,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from suite.waiting import eventually


async def test_a_kept_connection_serves_the_next_request() -> None:
    async with serve(answering(OK, OK, OK)) as server, pool_of() as pool:
        for _ in range(3):
            assert await fetch(pool, server.origin) == (200, b"ok")
        assert server.connections == 1


async def test_connection_close_is_honoured() -> None:
    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
    async with serve(answering(answer)) as server, pool_of() as pool:
        await fetch(pool, server.origin)
        await fetch(pool, server.origin)
        assert server.connections == 2


async def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with serve(handler) as server, pool_of() as pool:
        assert await fetch(pool, server.origin) == (200, b"all of it")


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_body_end_at_the_head(status: int) -> None:
    answer = b"HTTP/1.1 %d X\r\n\r\n" % status
    async with serve(answering(answer, OK)) as server, pool_of() as pool:
        assert await fetch(pool, server.origin) == (status, b"")
        assert await fetch(pool, server.origin) == (200, b"ok")
        assert server.connections == 1


async def test_head_has_no_body_whatever_its_length_says() -> None:
    async with serve(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")) as server, pool_of() as pool:
        assert await fetch(pool, server.origin, "HEAD") == (200, b"")
        assert await fetch(pool, server.origin, "HEAD") == (200, b"")


async def test_interim_responses_are_passed_over() -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK
    async with (
        serve(answering(answer)) as server,
        pool_of() as pool,
        pool.request("GET", server.origin, b"/", []) as response,
    ):
        assert response.status == 200
        assert response.headers == [(b"content-length", b"2")]


async def test_a_second_answer_is_never_given_to_the_next_request() -> None:
    forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    async with serve(answering(OK + forged, OK)) as server, pool_of() as pool:
        assert await fetch(pool, server.origin) == (200, b"ok")
        assert await fetch(pool, server.origin) == (200, b"ok")
        assert server.connections == 2


async def test_a_cut_body_is_an_error_after_what_arrived() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")

    async with (
        serve(handler) as server,
        pool_of() as pool,
        pool.request("GET", server.origin, b"/", []) as response,
    ):
        assert await response.next_chunk() == b"part"
        with pytest.raises(UpstreamDisconnected):
            await response.next_chunk()


async def test_each_read_is_one_chunk_and_none_is_held_back() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(3):
            writer.write(b"2\r\nt%d\r\n" % number)
            await writer.drain()
            await reader.readexactly(1)  # the next token waits until the test saw this one
        writer.write(b"0\r\n\r\n")

    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    async with (
        serve(handler) as server,
        pool_of() as pool,
        pool.request("GET", server.origin, b"/", [], timeouts=FAST) as response,
    ):
        assert await response.next_chunk() == b"t0"
        with pytest.raises(UpstreamTimeout) as caught:
            await response.next_chunk()
        assert caught.value.phase == "idle"


async def test_time_out_before_the_head() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await reader.read(-1)

    async with serve(handler) as server, pool_of() as pool:
        with pytest.raises(UpstreamTimeout) as caught:
            await fetch(pool, server.origin)
        assert caught.value.phase == "first_byte"
        await eventually(lambda: server.open == 0)


async def test_time_out_while_sending_to_a_server_that_does_not_read() -> None:
    async def handler(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with serve(handler) as server, pool_of() as pool:
        with pytest.raises(UpstreamTimeout) as caught:
            await fetch(pool, server.origin, "POST", b"x" * 30_000_000)
        assert caught.value.phase == "write"


async def test_refused_connection_says_nothing_was_sent() -> None:
    async with pool_of() as pool:
        with pytest.raises(UpstreamConnectError) as caught:
            await fetch(pool, "http://127.0.0.1:1")
        assert caught.value.sent is False
        assert pool.connections == 0


async def test_leaving_early_closes_the_connection() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await reader.read(-1)

    async with serve(handler) as server, pool_of() as pool:
        async with pool.request("GET", server.origin, b"/", []) as response:
            assert await response.next_chunk() == b"a"
        await eventually(lambda: server.open == 0 and pool.connections == 0)
        with pytest.raises(RuntimeError):
            await response.next_chunk()


async def test_cancelling_while_waiting_closes_the_connection() -> None:
    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with serve(handler) as server, pool_of() as pool:
        task = asyncio.create_task(fetch(pool, server.origin, timeouts=Timeouts()))
        await eventually(lambda: server.open == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: server.open == 0 and pool.connections == 0)


async def test_cancel_from_another_task_wakes_the_reader() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await reader.read(-1)

    async with (
        serve(handler) as server,
        pool_of() as pool,
        pool.request("GET", server.origin, b"/", []) as response,
    ):
        asyncio.get_running_loop().call_later(0.05, response.cancel)
        with pytest.raises(UpstreamDisconnected):
            await response.next_chunk()


def dying_after_first(second: bytes | None) -> Handler:
    """The first connection answers once and dies on its second request, unanswered; later ones answer
    `second`.
    """
    seen = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK if seen == 1 else second or OK)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")

    return handler


async def test_a_dead_kept_connection_is_replaced_for_a_safe_request() -> None:
    async with serve(dying_after_first(OK)) as server, pool_of() as pool:
        await fetch(pool, server.origin)
        assert await fetch(pool, server.origin) == (200, b"ok")
        assert server.connections == 2


async def test_a_request_sent_twice_waits_no_longer_than_one_sent_once() -> None:
    first_byte_s = 1.0
    dies_after_s = 0.7
    seen = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        await reader.readuntil(b"\r\n\r\n")
        if seen > 1:
            await reader.read(-1)
            return
        writer.write(OK)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(dies_after_s)

    async with serve(handler) as server, pool_of() as pool:
        await fetch(pool, server.origin)
        began = asyncio.get_running_loop().time()
        with pytest.raises(UpstreamTimeout) as caught:
            async with pool.request(
                "GET", server.origin, b"/", [], timeouts=Timeouts(first_byte_s=first_byte_s)
            ):
                pass
        assert caught.value.phase == "first_byte"
        assert server.connections == 2
        assert asyncio.get_running_loop().time() - began < first_byte_s + dies_after_s - 0.1


async def test_a_post_is_never_sent_twice() -> None:
    async with serve(dying_after_first(OK)) as server, pool_of() as pool:
        await fetch(pool, server.origin)
        with pytest.raises(UpstreamDisconnected):
            await fetch(pool, server.origin, "POST", b"pay once")
        assert server.connections == 1


async def test_a_first_connection_that_dies_is_not_retried() -> None:
    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with serve(handler) as server, pool_of() as pool:
        with pytest.raises(UpstreamDisconnected):
            await fetch(pool, server.origin)
        assert server.connections == 1


async def test_connections_are_bounded_and_the_queue_serves_in_turn() -> None:
    running = peak = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, peak
        while True:
            await reader.readuntil(b"\r\n\r\n")
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(0.01)
            running -= 1
            writer.write(OK)

    async with serve(handler) as server, pool_of(PoolLimits(connections_max=3)) as pool:
        answers = await asyncio.gather(*(fetch(pool, server.origin, timeouts=Timeouts()) for _ in range(30)))
        assert answers == [(200, b"ok")] * 30
        assert peak == 3
        assert server.connections == 3


async def test_a_full_queue_refuses_and_a_long_wait_times_out() -> None:
    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    patient = Timeouts(connect_s=0.2)
    async with serve(handler) as server, pool_of(PoolLimits(connections_max=1, queue_max=1)) as pool:
        holder = asyncio.create_task(fetch(pool, server.origin, timeouts=Timeouts()))
        await eventually(lambda: server.open == 1)
        queued = asyncio.create_task(fetch(pool, server.origin, timeouts=patient))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamBusy):
            await fetch(pool, server.origin)
        with pytest.raises(UpstreamTimeout) as caught:
            await queued
        assert caught.value.phase == "queue"
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)


async def test_a_failed_exchange_frees_its_place_in_the_queue() -> None:
    answers = iter([b"nonsense\r\n\r\n", OK, OK])

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(answers))
        await writer.drain()
        await reader.read(-1)

    async with serve(handler) as server, pool_of(PoolLimits(connections_max=1)) as pool:
        results = await asyncio.gather(
            *(fetch(pool, server.origin) for _ in range(2)), return_exceptions=True
        )
        assert isinstance(results[0], UpstreamProtocolError)
        assert results[1] == (200, b"ok")


async def test_a_slow_reader_stops_the_socket_from_being_read() -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 64_000)
            await writer.drain()
            sent += 64_000

    async with (
        serve(handler) as server,
        pool_of() as pool,
        pool.request("GET", server.origin, b"/", []) as response,
    ):
        await response.next_chunk()
        await asyncio.sleep(0.3)
        assert sent < 40_000_000
        total = 0
        async for chunk in response.iter_raw():
            total += len(chunk)
        assert total > 60_000_000


async def test_the_reading_limit_stops_a_body_that_is_too_large() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n" + b"x" * 50
    async with (
        serve(answering(answer)) as server,
        pool_of() as pool,
        pool.request("GET", server.origin, b"/", []) as response,
    ):
        with pytest.raises(ResponseTooLarge):
            await response.read(10)


async def test_closing_lets_running_requests_finish_and_refuses_new_ones() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(OK)
        await reader.read(-1)

    async with serve(handler) as server:
        pool = UpstreamPool()
        running = asyncio.create_task(fetch(pool, server.origin, timeouts=Timeouts()))
        await eventually(lambda: server.open == 1)
        closing = asyncio.create_task(pool.aclose(drain_s=2.0))
        await asyncio.sleep(0.01)
        with pytest.raises(UpstreamBusy):
            await fetch(pool, server.origin)
        assert await running == (200, b"ok")
        await closing
        await eventually(lambda: pool.connections == 0)


async def test_idle_connections_are_closed_after_a_while() -> None:
    async with serve(answering(OK, OK)) as server, pool_of(PoolLimits(keepalive_s=0.2)) as pool:
        await fetch(pool, server.origin)
        assert pool.connections == 1
        await eventually(lambda: pool.connections == 0 and server.open == 0)
