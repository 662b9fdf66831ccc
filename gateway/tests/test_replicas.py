"""Two gateways over one database and one Redis: one limit, one truth about who may call, and work without
Redis.
"""

import asyncio
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateways.running import KEYS, PASSWORD, Gateway, Person, StartGateway
from redis_world import PASSWORD as REDIS_PASSWORD
from redis_world import RedisServer, running_redis
from servers import serve
from suite.ports import free_port
from suite.waiting import eventually, is_within

PATIENT = {"redis_timeout_s": 5.0}
ME = "/api/v1/auth/me"
PROXIED = "/api/v1/chats"


async def service(scope: Any, receive: Any, send: Any) -> None:
    """A service that answers; `?poor` with 402."""
    if scope["type"] == "http":
        status = 402 if scope["query_string"] == b"poor" else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def two_gateways(
    start_gateway: StartGateway, postgres: Any, redis_url: str, **fields: Any
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    database = postgres.clone("gateway")
    try:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(serve(service, lifespan="off"))
            options = {"redis_url": redis_url, "chat_service_url": url, **PATIENT, **fields}
            one = await stack.enter_async_context(start_gateway(database, **options))
            other = await stack.enter_async_context(start_gateway(database, **options))
            await one.state.limiter._replicas.beat()
            yield one, other
    finally:
        postgres.drop(database)


async def statuses(person: Person, gateways: tuple[Gateway, Gateway], path: str, *, count: int) -> list[int]:
    """Of so many requests at once through both."""
    async with gateways[0].client() as one, gateways[1].client() as other:
        answers = await asyncio.gather(
            *((one, other)[number % 2].get(path, headers=person.bearer) for number in range(count))
        )
    return [answer.status_code for answer in answers]


async def admitted(
    person: Person, gateways: tuple[Gateway, Gateway], *, count: int, per_minute: int, path: str = ME
) -> int:
    """How many of so many at once had a full bucket to draw from; the rest were refused. Those that the time
    they took has refilled are left out.
    """
    began = time.monotonic()
    found = await statuses(person, gateways, path, count=count)
    refilled = (time.monotonic() - began) * per_minute / 60
    assert set(found) == {200, 429}
    return max(min(found.count(200), per_minute), math.ceil(found.count(200) - refilled))


async def test_a_limit_of_n_admits_n_across_both(
    start_gateway: StartGateway, postgres: Any, redis_url: str, redis_server: RedisServer
) -> None:
    async with two_gateways(start_gateway, postgres, redis_url, user_rpm=20) as gateways:
        person = await gateways[0].sign_up("ada")
        for path in (ME, PROXIED):
            assert await admitted(person, gateways, count=50, per_minute=20, path=path) == 20
            with redis_server.client() as client:
                client.flushall()


async def test_the_headers_of_both_count_down_together(
    start_gateway: StartGateway, postgres: Any, redis_url: str
) -> None:
    async with two_gateways(start_gateway, postgres, redis_url, user_rpm=20) as gateways:
        person = await gateways[0].sign_up("ada")
        began = time.monotonic()
        left: list[int] = []
        for number in range(6):
            async with gateways[number % 2].client() as http:
                answer = await http.get(PROXIED, headers=person.bearer)
            assert answer.headers["x-ratelimit-limit"] == "20"
            left.append(int(answer.headers["x-ratelimit-remaining"]))
        refilled = math.ceil((time.monotonic() - began) * 20 / 60)
    assert left[0] == 19
    assert 14 <= left[-1] <= 14 + refilled


async def test_a_refusal_for_lack_of_money_gives_back_ten_times_a_minute_across_both(
    start_gateway: StartGateway, postgres: Any, redis_url: str, redis_server: RedisServer
) -> None:
    async with two_gateways(start_gateway, postgres, redis_url, user_rpm=100) as gateways:
        person = await gateways[0].sign_up("ada")
        began = time.monotonic()
        found = await statuses(person, gateways, f"{PROXIED}?poor", count=40)
        for gateway in gateways:
            await gateway.state.limiter._replicas.tasks.drain(20)
        with redis_server.client() as client:
            tokens = float(client.get(f"atrium:rest:user:{person.user['id']}").split()[0])
        elapsed_s = time.monotonic() - began
    assert set(found) == {402}
    assert tokens + 1e-6 >= 70
    assert tokens <= 70 + elapsed_s * 110 / 60  # both buckets refill meanwhile


async def test_a_revoked_key_and_an_ended_session_are_refused_everywhere_within_a_second(
    start_gateway: StartGateway, postgres: Any, redis_url: str
) -> None:
    async with two_gateways(start_gateway, postgres, redis_url) as gateways:
        one, other = gateways
        owner = await one.sign_up("ada")
        for number in range(3):
            made = (await owner.post("/api/v1/auth/api-keys", {"name": f"key {number}"})).json()
            took_s = await _refused_elsewhere(
                other, made["key"], lambda made=made: owner.delete(f"/api/v1/auth/api-keys/{made['id']}")
            )
            assert is_within(took_s, 1.0)
            async with one.client() as http:
                signed_in = await http.post(
                    "/api/v1/auth/signin", json={"email": owner.email, "password": PASSWORD}
                )
                token = signed_in.json()["access_token"]
                took_s = await _refused_elsewhere(
                    other, token, lambda http=http: http.post("/api/v1/auth/signout")
                )
            assert is_within(took_s, 1.0)


async def _refused_elsewhere(
    gateway: Gateway, credential: str, end: Callable[[], Awaitable[httpx.Response]]
) -> float:
    """Seconds from the end of a credential at one gateway until another refuses it, which has used it."""
    headers = {"authorization": f"Bearer {credential}"}
    async with gateway.client(headers=headers) as http:
        for path in (ME, PROXIED):
            assert (await http.get(path)).status_code == 200
        assert (await end()).status_code == 204

        async def refused() -> bool:
            return {(await http.get(path)).status_code for path in (ME, PROXIED)} == {401}

        began = time.monotonic()
        await eventually(refused)
        return time.monotonic() - began


async def test_sign_up_and_wrong_passwords_are_counted_together(
    start_gateway: StartGateway, postgres: Any, redis_url: str
) -> None:
    limits = {"signup_limit": "5/minute", "signin_account_limit": "3/minute"}
    async with two_gateways(start_gateway, postgres, redis_url, **limits) as gateways:
        await gateways[0].sign_up("ada")
        made, wrong = list[int](), list[int]()
        for number in range(6):
            async with gateways[number % 2].client() as http:
                form = {"name": "x", "email": f"x{number}@example.com", "password": PASSWORD}
                made.append((await http.post("/api/v1/auth/signup", json=form)).status_code)
                form = {"email": "ada@example.com", "password": "a wrong password"}
                wrong.append((await http.post("/api/v1/auth/signin", json=form)).status_code)
    assert made == [201] * 4 + [429] * 2
    assert wrong == [401] * 3 + [429] * 3


async def test_without_redis_each_admits_its_share_until_it_is_back(
    start_gateway: StartGateway, postgres: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"user_rpm": 40, "signup_limit": "6/minute", "signin_account_limit": "4/minute"}
    with running_redis(tmp_path) as server:
        async with two_gateways(start_gateway, postgres, server.url, **limits) as gateways:
            logging.getLogger().addHandler(caplog.handler)  # gateways set up the logging of their process
            person = await gateways[0].sign_up("ada")
            assert (await _status(gateways[0]))["dependencies"]["redis"]["status"] == "ok"
            server.kill()
            await eventually(lambda: _is_away(gateways, away=True))
            narrow = [await admitted(person, (each, each), count=40, per_minute=20) for each in gateways]
            tried = [await _wrong_passwords(each, 4) for each in gateways]
            down = await _status(gateways[0])
            server.start()
            await eventually(lambda: _is_away(gateways, away=False))
            whole = await admitted(person, gateways, count=80, per_minute=40)
            back = await _status(gateways[0])
    assert narrow == [20, 20]
    assert tried == [[401, 401, 429, 429]] * 2
    assert whole == 40
    assert down["status"] == "degraded"
    assert down["dependencies"]["redis"]["status"] == "down"
    assert down["dependencies"]["redis"]["last_success_at"] is not None
    assert back["dependencies"]["redis"]["status"] == "ok"
    said = [record.getMessage() for record in caplog.records if record.name == "shared.adapters.redis"]
    begins, ends = "Redis is away: each gateway process counts by itself", "Redis answers again"
    assert [each.startswith(begins) for each in said[:2]] == [True, True]
    assert said[-2:] == [ends, ends]
    assert len(said) == 2 * said.count(ends)
    assert REDIS_PASSWORD not in caplog.text


async def _status(gateway: Gateway) -> dict[str, Any]:
    gateway.state.installed_services._status._found = None
    async with gateway.client() as http:
        return (await http.get("/api/v1/status")).json()


async def _is_away(gateways: tuple[Gateway, Gateway], *, away: bool) -> bool:
    return all(each.state.limiter._replicas.redis.is_away is away for each in gateways)


async def _wrong_passwords(gateway: Gateway, count: int) -> list[int]:
    form = {"email": "ada@example.com", "password": "a wrong password"}
    async with gateway.client() as http:
        return [(await http.post("/api/v1/auth/signin", json=form)).status_code for _ in range(count)]


async def test_no_request_fails_while_redis_dies_and_comes_back(
    start_gateway: StartGateway, postgres: Any, tmp_path: Path
) -> None:
    with running_redis(tmp_path) as server:
        fields = {"redis_timeout_s": 0.05, "user_rpm": 100_000, "organisation_rpm": 100_000}
        async with two_gateways(start_gateway, postgres, server.url, **fields) as gateways:
            person = await gateways[0].sign_up("ada")
            found: list[int] = await statuses(person, gateways, PROXIED, count=20)
            for break_off, mend in ((server.kill, server.start), (server.freeze, server.thaw)):
                break_off()
                found += await statuses(person, gateways, PROXIED, count=100)
                mend()
                found += await statuses(person, gateways, PROXIED, count=20)
            await eventually(lambda: _is_away(gateways, away=False))
    assert set(found) == {200}


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    keys = KEYS.environment("gateway", database_url="postgresql://nobody@127.0.0.1:1/none")
    code = "from gateway_service.main import create_app; create_app(); print('started')"
    environment = {"PATH": os.environ["PATH"], **keys, **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_a_wrong_redis_ends_the_start_with_one_line(redis_url: str) -> None:
    wrong = {
        "this is no address of a Redis server": "localhost:6379/secret-word",
        "refuses the user or password": redis_url.replace(REDIS_PASSWORD, "secret-word"),
    }
    for reason, url in wrong.items():
        refused = started(REDIS_URL=url)
        assert refused.returncode == 2
        (line,) = refused.stderr.splitlines()
        assert "REDIS_URL: " in line
        assert reason in line
        assert "secret-word" not in line
    good = started(REDIS_URL=redis_url, GATEWAY_PROCESSES="2")
    assert (good.stdout, good.stderr) == ("started\n", "")


def test_a_redis_that_does_not_answer_at_the_start_is_warned_of_with_one_line() -> None:
    away = started(REDIS_URL=f"redis://:secret-word@127.0.0.1:{free_port()}/0", GATEWAY_PROCESSES="2")
    assert (away.returncode, away.stdout) == (0, "started\n")
    (line,) = away.stderr.splitlines()
    assert "starts and admits its share of each limit" in line
    assert "no Redis answers at 127.0.0.1" in line
    assert "secret-word" not in line


async def test_a_gateway_that_starts_without_redis_admits_its_share(start_gateway: StartGateway) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    limits = {"user_rpm": 40, "signup_limit": "8/minute"}
    async with start_gateway(redis_url=nobody, gateway_processes=4, **limits) as gateway:
        person = await gateway.sign_up("ada")
        assert await admitted(person, (gateway, gateway), count=30, per_minute=10) == 10
        form = {"name": "x", "password": PASSWORD}
        async with gateway.client() as http:
            made = [
                (
                    await http.post("/api/v1/auth/signup", json={**form, "email": f"x{n}@example.com"})
                ).status_code
                for n in range(2)
            ]
    assert made == [201, 429]


@pytest.mark.parametrize("is_shared", [False, True])
async def test_sign_up_counts_an_ipv6_network_as_one_client(
    start_gateway: StartGateway, redis_url: str, is_shared: bool
) -> None:
    shared = {"redis_url": redis_url, **PATIENT} if is_shared else {}
    proxied = {"trusted_proxies": (ip_network("127.0.0.1"),), "signup_limit": "3/minute"}
    async with start_gateway(**shared, **proxied) as gateway, gateway.client() as http:
        made = list[int]()
        for number, network in enumerate(["2001:db8:0:1"] * 4 + ["2001:db8:0:2"]):
            form = {"name": "x", "email": f"x{number}@example.com", "password": PASSWORD}
            headers = {"x-forwarded-for": f"{network}::{number + 1}"}
            made.append((await http.post("/api/v1/auth/signup", json=form, headers=headers)).status_code)
    assert made == [201] * 3 + [429, 201]
