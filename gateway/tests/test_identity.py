"""Who the proxy and the services believe a caller to be, and how fast that ends."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from gateway_service.identity.hop import HopTokens
from gateway_service.identity.memory import IdentityMemory
from gateway_service.identity.ports import Identity
from gateways.running import KEYS, Gateway, Person, StartGateway
from identities import make_principal
from servers import serve
from shared.auth.permissions import Role
from shared.auth.principal import UsageMode
from shared.auth.tokens import TokenVerifier, UserTokens
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from suite.waiting import eventually

IDENTITY = Identity(make_principal(), b"Bearer x", ())


@pytest.fixture
async def echo_url() -> AsyncIterator[str]:
    """A service that answers with the headers it got."""

    async def echo(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.headers))

    async with serve(Starlette(routes=[Route("/{path:path}", echo)])) as url:
        yield url


async def chats(gateway: Gateway, credential: str) -> httpx.Response:
    async with gateway.client() as http:
        return await http.get("/api/v1/chats", headers={"authorization": f"Bearer {credential}"})


async def test_a_service_sees_a_hop_token_instead_of_the_callers_credential(
    start_gateway: StartGateway, echo_url: str
) -> None:
    async with start_gateway(chat_service_url=echo_url) as gateway:
        person = await gateway.sign_up("ada")
        made = (await person.post("/api/v1/auth/api-keys", {"name": "robot", "models": ["small"]})).json()
        by_token = (await chats(gateway, person.token)).json()
        by_key = (await chats(gateway, made["key"])).json()
    verifier = TokenVerifier(jwks=KEYS.jwks, audience="chat-service")
    token_principal = verifier.verify(by_token["authorization"].removeprefix("Bearer "))
    key_principal = verifier.verify(by_key["authorization"].removeprefix("Bearer "))
    assert person.token not in str(by_token)
    assert made["key"] not in str(by_key)
    assert token_principal.via_gateway
    assert str(token_principal.user_id) == person.user["id"]
    assert str(key_principal.key_id) == made["id"]
    assert key_principal.models == ("small",)


async def test_every_token_carries_the_usage_mode_of_the_organisation(
    start_gateway: StartGateway, echo_url: str
) -> None:
    async with start_gateway(chat_service_url=echo_url) as gateway:
        await gateway.fetch("UPDATE organisation SET usage_mode = 'local'")
        person = await gateway.sign_up("ada")
        key = (await person.post("/api/v1/auth/api-keys", {"name": "robot"})).json()["key"]
        async with gateway.client(headers={"x-api-key": key}) as http:
            swapped = (await http.post("/api/v1/auth/token")).json()["access_token"]
        refreshed = (await person.http.post("/api/v1/auth/refresh")).json()["access_token"]
        hops = [
            (await chats(gateway, credential)).json()["authorization"]
            for credential in (person.token, key, swapped)
        ]
    verifier = TokenVerifier(jwks=KEYS.jwks, audience="chat-service")
    tokens = [person.token, refreshed, swapped, *(hop.removeprefix("Bearer ") for hop in hops)]
    assert {verifier.verify(token).usage_mode for token in tokens} == {UsageMode.LOCAL}


async def test_a_hop_token_from_outside_is_refused(start_gateway: StartGateway, echo_url: str) -> None:
    async with start_gateway(chat_service_url=echo_url) as gateway:
        person = await gateway.sign_up("ada")
        hop = (await chats(gateway, person.token)).json()["authorization"].removeprefix("Bearer ")
        replayed = await chats(gateway, hop)
        own_route = await person.http.get("/api/v1/auth/me", headers={"authorization": f"Bearer {hop}"})
    assert replayed.status_code == own_route.status_code == 401


async def test_service_tokens_and_tokens_without_a_session_are_refused(
    gateway: Gateway, admin: Person
) -> None:
    someone = make_principal(Role.ADMIN)
    for headers in (
        KEYS.service_headers("chat-service", target="gateway", principal=someone),
        KEYS.service_headers("chat-service", target="gateway"),
        KEYS.user_headers(someone),
    ):
        assert (await admin.http.get("/api/v1/auth/me", headers=headers)).status_code == 401


@pytest.mark.parametrize("credential", ["x", "a.b.c", "é", "e" * 9000])
async def test_nonsense_is_401(gateway: Gateway, admin: Person, credential: str) -> None:
    for path in ("/api/v1/auth/me", "/api/v1/chats"):
        answer = await admin.http.get(
            path, headers=[(b"authorization", f"Bearer {credential}".encode("latin-1"))]
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_too_many_refused_credentials_from_one_address_are_stopped(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        person = await gateway.sign_up("ada")
        answers = [
            await person.http.get("/api/v1/auth/me", headers={"x-api-key": f"atr-{n:043d}"})
            for n in range(60)
        ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 401
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1


async def test_another_gateway_process_hears_a_revocation(start_gateway: StartGateway) -> None:
    async with start_gateway() as first, start_gateway(first.database) as second:
        person = await first.sign_up("ada")
        made = (await person.post("/api/v1/auth/api-keys", {"name": "robot"})).json()
        await asyncio.wait_for(second.state.listener.listening.wait(), 20)

        async def status_at_second(credential: str) -> int:
            async with second.client() as http:
                return (
                    await http.get("/api/v1/auth/me", headers={"authorization": f"Bearer {credential}"})
                ).status_code

        async def token_stopped() -> bool:
            return await status_at_second(person.token) == 401

        async def key_stopped() -> bool:
            return await status_at_second(made["key"]) == 401

        assert await status_at_second(person.token) == await status_at_second(made["key"]) == 200
        await person.delete(f"/api/v1/auth/api-keys/{made['id']}")
        await eventually(key_stopped)
        await person.http.post("/api/v1/auth/signout")
        await eventually(token_stopped)


async def test_after_a_gap_in_listening_nothing_is_remembered(gateway: Gateway, admin: Person) -> None:
    memory, listener = gateway.state.authenticator.memory, gateway.state.listener
    await asyncio.wait_for(listener.listening.wait(), 20)
    assert (await admin.get("/api/v1/auth/me")).status_code == 200
    assert len(memory) == 1
    epoch = memory.epoch
    ours = "application_name = 'atrium-gateway-listen' AND datname = current_database()"
    await gateway.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")

    async def dropped() -> bool:
        return memory.epoch > epoch and listener.listening.is_set()

    await eventually(dropped, within_s=15)
    assert len(memory) == 0
    assert (await admin.get("/api/v1/auth/me")).status_code == 200


async def test_a_burst_with_one_credential_asks_the_database_once(gateway: Gateway, admin: Person) -> None:
    authenticator = gateway.state.authenticator
    authenticator.memory.drop_all()
    asked = 0
    original = authenticator._look_up

    async def counted(credential: bytes) -> Any:
        nonlocal asked
        asked += 1
        return await original(credential)

    authenticator._look_up = counted
    identities = await asyncio.gather(*(authenticator.authenticate(admin.token.encode()) for _ in range(50)))
    assert asked == 1
    assert len({id(identity) for identity in identities}) == 1


def test_memory_is_keyed_by_the_whole_credential() -> None:
    memory = IdentityMemory()
    memory.put(b"same-start-a", IDENTITY, good_for_s=60, subjects=(), epoch=0)
    assert memory.get(b"same-start-a") is IDENTITY
    assert memory.get(b"same-start-b") is None
    assert memory.get(b"same-start") is None


def test_memory_is_bounded_and_drops_its_index_with_its_entries() -> None:
    memory = IdentityMemory(remembered_max=3)
    for n in range(10):
        memory.put(b"%d" % n, IDENTITY, good_for_s=60, subjects=(f"user:{n}",), epoch=0)
    assert len(memory) == 3
    assert memory.get(b"9") is IDENTITY
    assert memory.get(b"0") is None
    assert len(memory._by_subject) == 3


def test_what_was_looked_up_before_a_drop_is_not_remembered_after_it() -> None:
    memory = IdentityMemory()
    epoch = memory.epoch
    memory.drop("user:someone")
    memory.put(b"stale", IDENTITY, good_for_s=60, subjects=("user:someone",), epoch=epoch)
    assert memory.get(b"stale") is None


def test_memory_ends_with_the_credential() -> None:
    memory = IdentityMemory()
    memory.put(b"ended", IDENTITY, good_for_s=-1, subjects=(), epoch=0)
    memory.put(b"ending", IDENTITY, good_for_s=0.01, subjects=("key:1",), epoch=0)
    time.sleep(0.02)
    assert memory.get(b"ended") is None
    assert memory.get(b"ending") is None
    assert len(memory) == 0


def test_one_principal_gets_one_hop_token_while_it_is_fresh() -> None:
    hops = HopTokens(UserTokens(signing_key_pem=KEYS.pem("user-1")))
    ada, grace = make_principal(), make_principal()
    assert hops.token_for(ada).authorization == hops.token_for(ada).authorization
    assert hops.token_for(ada).authorization != hops.token_for(grace).authorization
    assert hops.token_for(ada).valid_s > 100
