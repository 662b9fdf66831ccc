"""Redis as a dependency: asked within a time, given up after failures, asked again, and never named with its
password.
"""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis_world import PASSWORD, RedisServer, running_redis
from shared.adapters.redis import (
    Presence,
    RedisAway,
    RedisClient,
    RedisRefusal,
    RedisScript,
    redis_only,
    redis_refusal,
)
from suite.ports import free_port
from suite.waiting import is_within
from tls_relay import tls_relay

ADD = RedisScript("return redis.call('INCR', KEYS[1])")
PATIENT_S = 10.0
GOOD = (
    "redis://localhost",
    "redis://127.0.0.1:6379/0",
    "redis://:p%40ss@redis:6379",
    "rediss://user:secret@[::1]:6380/3?ssl_ca_certs=/etc/ca.pem",
)
BAD = (
    "",
    "localhost:6379",
    "http://localhost:6379",
    "redis://",
    "redis://:secret-word@/0",
    "redis://user:secret-word@host:port/0",
    "redis://user:secret/word@host/0",
    "redis://host/zero",
    "redis://host:6379/0?socket_timeout=9",
    "rediss://host/0?password=secret-word",
    "unix:///run/redis.sock",
)


@asynccontextmanager
async def client_of(url: str, *, timeout_s: float = PATIENT_S) -> AsyncIterator[RedisClient]:
    client = RedisClient(url, timeout_s=timeout_s, meanwhile="nothing is counted")
    try:
        yield client
    finally:
        await client.aclose()


@pytest.mark.parametrize("url", GOOD)
def test_an_address_of_redis_is_taken_as_it_is(url: str) -> None:
    assert redis_only(url) == url


@pytest.mark.parametrize("url", BAD)
def test_another_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="redis") as refused:
        redis_only(url)
    assert "secret" not in str(refused.value)


async def test_a_script_runs_and_success_is_noted(redis_url: str) -> None:
    async with client_of(redis_url) as client:
        assert client.last_success_at is None
        script = ADD
        assert [await client.run(script, ["n"], []) for _ in range(3)] == [1, 2, 3]
        assert client.last_success_at is not None
        assert not client.is_away


async def test_more_calls_than_connections_wait_for_one(redis_server: RedisServer, redis_url: str) -> None:
    async with client_of(redis_url) as client:
        script = ADD
        found = await asyncio.gather(*(client.run(script, ["n"], []) for _ in range(500)))
        with redis_server.client() as plain:
            connected = len(plain.client_list())
    assert sorted(found) == list(range(1, 501))
    assert connected <= 5


async def test_a_redis_that_died_is_away_until_an_answer_ends_that(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_redis(tmp_path) as server:
        async with client_of(server.url) as client:
            script = ADD
            await client.run(script, ["n"], [])
            server.kill()
            for _ in range(3):
                with pytest.raises(RedisAway):
                    await client.run(script, ["n"], [])
            assert client.is_away
            server.start()
            with pytest.raises(RedisAway):
                await client.run(script, ["n"], [])  # nothing is asked
            assert await client.ask_again(script, ["n"], []) == 1
            assert await client.run(script, ["n"], []) == 2
    said = [record.getMessage() for record in caplog.records if record.name == "shared.adapters.redis"]
    assert said == ["Redis is away: nothing is counted", "Redis answers again"]


async def test_scripts_that_redis_has_forgotten_are_sent_again(
    redis_server: RedisServer, redis_url: str
) -> None:
    async with client_of(redis_url) as client:
        await client.run(ADD, ["n"], [])
        with redis_server.client() as plain:
            plain.script_flush()
        echo = RedisScript("return ARGV[1]")
        found = await asyncio.gather(
            *(
                client.run(ADD, ["n"], []) if number % 2 else client.run(echo, [], [number])
                for number in range(100)
            )
        )
    assert found[::2] == [b"%d" % number for number in range(0, 100, 2)]
    assert sorted(found[1::2]) == list(range(2, 52))


async def test_who_gives_up_waiting_leaves_the_others_their_answers(redis_url: str) -> None:
    async with client_of(redis_url) as client:
        echo = RedisScript("return ARGV[1]")
        asked = [asyncio.ensure_future(client.run(echo, [], [number])) for number in range(200)]
        await asyncio.sleep(0)
        for each in asked[::3]:
            each.cancel()
        found = await asyncio.gather(*asked, return_exceptions=True)
    for number, answer in enumerate(found):
        assert isinstance(answer, asyncio.CancelledError) if number % 3 == 0 else answer == b"%d" % number


async def test_all_that_waits_for_a_silent_redis_is_told_together(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        async with client_of(server.url, timeout_s=0.3) as client:
            await client.ask_again(ADD, ["n"], [])
            with server.silent():
                started_s = time.monotonic()
                found = await asyncio.gather(
                    *(client.run(ADD, ["n"], []) for _ in range(1000)), return_exceptions=True
                )
                waited_s = time.monotonic() - started_s
    assert all(isinstance(each, RedisAway) for each in found)
    assert is_within(waited_s, 0.6)  # not once for each of the 16 that travel apart


class SlowClient(RedisClient):
    """Of a Redis that answers what travels together first at once, and all later ones after 0.8 s."""

    answers_after_s = 0.0

    async def _exchange(self, batch: list[Any]) -> None:
        await asyncio.sleep(self.answers_after_s)
        self.answers_after_s = 0.8
        for call in batch:
            call.succeeded(b"1")


async def test_who_waits_behind_others_for_a_slow_redis_waits_no_longer_than_they() -> None:
    client = SlowClient("redis://127.0.0.1", timeout_s=1.0, meanwhile="-")
    started_s = time.monotonic()
    found = await asyncio.gather(*(client.run(ADD, ["n"], []) for _ in range(1500)), return_exceptions=True)
    waited_s = time.monotonic() - started_s
    await client.aclose()
    assert is_within(waited_s, 2.0)  # all of them, one after another: 18 s
    assert not client.is_away
    assert {type(each) for each in found} == {bytes, RedisAway}
    in_queue = [each for each in found if isinstance(each, RedisAway) and not each.may_have_run]
    crowded_out = [each for each in in_queue if str(each) == "too many wait for it"]
    assert len(crowded_out) == 1500 - 1024
    assert len(in_queue) > len(crowded_out)


def test_a_redis_that_goes_again_soon_is_asked_again_after_more_good_beats() -> None:
    now = 5.0
    presence = Presence(clock=lambda: now)

    def beats_needed() -> int:
        assert [presence.failed() for _ in range(4)] == [False, False, True, False]
        beats = 1
        while not presence.beat():
            beats += 1
            assert presence.is_away
        presence.answered()
        assert not presence.is_away
        return beats

    assert [beats_needed() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    now += 60
    assert [beats_needed() for _ in range(2)] == [1, 2]


def test_a_failure_between_good_beats_starts_their_count_again() -> None:
    presence = Presence(clock=lambda: 5.0)
    for _ in range(3):
        presence.failed()
    assert presence.beat()
    for _ in range(3):
        presence.failed()
    assert not presence.beat()
    presence.failed()
    assert not presence.beat()
    assert presence.beat()


async def test_one_failure_is_no_outage(redis_server: RedisServer, redis_url: str) -> None:
    async with client_of(redis_url) as client:
        wrong, script = RedisScript("return redis.call('NOSUCH')"), ADD
        for _ in range(5):
            with pytest.raises(RedisAway):
                await client.run(wrong, ["n"], [])
            await client.run(script, ["n"], [])
        assert not client.is_away


async def test_a_silent_redis_is_waited_for_no_longer_than_the_time_out(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        async with client_of(server.url, timeout_s=0.05) as client:
            script = ADD
            with server.silent():
                started_s = time.monotonic()
                for _ in range(100):
                    with pytest.raises(RedisAway):
                        await client.run(script, ["n"], [])
                waited_s = time.monotonic() - started_s
                with pytest.raises(RedisAway):
                    await client.ask_again(script, ["n"], [])
    assert waited_s < 100 * 0.05  # each would have waited, had the first three not ended the asking


async def test_what_was_cut_off_is_no_answer_to_the_next_question(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        async with client_of(server.url, timeout_s=0.2) as client:
            script = RedisScript("return ARGV[1]")
            await client.ask_again(script, [], ["warm"])
            with server.silent(), pytest.raises(RedisAway):
                await client.run(script, [], ["late"])
            for number in range(20):
                try:
                    assert await client.run(script, [], [number]) == b"%d" % number
                except RedisAway:
                    await client.ask_again(script, [], [number])


def test_a_good_redis_can_be_used(redis_url: str) -> None:
    assert redis_refusal(redis_url, within_s=0) is None


def test_the_reason_why_a_redis_cannot_be_used_names_it_without_its_password(redis_url: str) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        nobody = f"redis://:{PASSWORD}@127.0.0.1:{unheard.getsockname()[1]}/0"
        refusals = {
            "no Redis answers at 127.0.0.1": nobody,
            "refuses the user or password": redis_url.replace(PASSWORD, "wrong-secret"),
            "DB index is out of range": f"{redis_url}99",
        }
        for reason, url in refusals.items():
            refusal = redis_refusal(url, within_s=0)
            assert refusal is not None
            assert reason in refusal.text
            assert refusal.is_final is not reason.startswith("no Redis")
            assert "secret" not in refusal.text
            assert "\n" not in refusal.text


def test_a_redis_that_is_full_or_only_reads_may_work_the_next_moment(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, server.client() as plain:
        plain.config_set("maxmemory", "1")
        full = redis_refusal(server.url, within_s=0)
        plain.config_set("maxmemory", "0")
        plain.replicaof("127.0.0.1", str(free_port()))
        failing_over = redis_refusal(server.url, within_s=0)
        plain.config_set("replica-serve-stale-data", "no")
        without_primary = redis_refusal(server.url, within_s=0)
        plain.replicaof("NO", "ONE")
        assert redis_refusal(server.url, within_s=0) is None
    for refusal in (full, failing_over, without_primary):
        assert isinstance(refusal, RedisRefusal)
        assert "refuses to be used" in refusal.text
        assert not refusal.is_final


async def test_a_proxy_that_hangs_up_before_tls_begins_may_work_the_next_moment() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        refusal = await asyncio.to_thread(redis_refusal, f"rediss://127.0.0.1:{port}/0", within_s=0)
    assert refusal is not None
    assert not refusal.is_final


def test_a_redis_that_is_just_starting_is_waited_for(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        server.kill()
        assert redis_refusal(server.url, within_s=0) is not None
        server.start_soon()
        assert redis_refusal(server.url, within_s=60) is None


async def test_nothing_that_is_logged_holds_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running_redis(tmp_path) as server:
        for url in (server.url, server.url.replace(PASSWORD, "wrong-secret-of-the-tests")):
            async with client_of(url) as client:
                script = ADD
                if url == server.url:
                    await client.run(script, ["n"], [])
                    server.kill()
                for _ in range(4):
                    with pytest.raises(RedisAway) as away:
                        await client.run(script, ["n"], [])
                    assert "secret" not in str(away.value)
            server.kill()
            server.start()
    assert caplog.records
    assert not [record for record in caplog.records if "secret" in str(vars(record))]


async def test_by_tls_the_server_must_show_a_certificate_that_is_trusted(
    redis_server: RedisServer, redis_url: str, tmp_path: Path
) -> None:
    certificate = tmp_path / "ca.pem"
    async with tls_relay(redis_server.port, certificate) as port:
        by_tls = f"rediss://:{PASSWORD}@127.0.0.1:{port}/0"
        trusting = f"{by_tls}?ssl_ca_certs={certificate}"
        assert redis_only(trusting) == trusting
        refused = await asyncio.to_thread(redis_refusal, by_tls, within_s=0)
        assert refused is not None
        assert "cannot agree on TLS" in refused.text
        assert refused.is_final
        assert "secret" not in refused.text
        assert await asyncio.to_thread(redis_refusal, trusting, within_s=0) is None
        async with client_of(by_tls) as client:
            with pytest.raises(RedisAway):
                await client.ask_again(ADD, ["n"], [])
        async with client_of(trusting) as client:
            assert await client.ask_again(ADD, ["n"], []) == 1
            assert await client.run(ADD, ["n"], []) == 2
