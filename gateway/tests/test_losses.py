"""What happens to work under way when a person, a key or a session loses access."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from gateways.running import Gateway, Person, StartGateway
from servers import serve
from shared.access import ACCESS_CHANNEL, AccessEnd, access_subscriber
from suite.waiting import is_within


async def events_without_end(scope: Any, receive: Any, send: Any) -> None:
    """A service whose answer never ends; `?late` gives none at all."""
    if scope["type"] != "http":
        return
    if scope["query_string"] != b"late":
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"data: a\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.fixture
async def streaming(start_gateway: StartGateway) -> AsyncIterator[Gateway]:
    async with (
        serve(events_without_end, lifespan="off") as url,
        start_gateway(chat_service_url=url, inference_service_url=url) as gateway,
    ):
        yield gateway


@asynccontextmanager
async def open_stream(gateway: Gateway, credential: str, path: str) -> AsyncIterator[httpx.Response]:
    headers = {"authorization": f"Bearer {credential}", "accept": "text/event-stream"}
    async with gateway.client(timeout=5) as http, http.stream("GET", path, headers=headers) as answer:
        yield answer


@asynccontextmanager
async def heard(gateway: Gateway) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
    """What other services hear of lost access."""
    found: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    connection = await asyncpg.connect(gateway.database.app_url)
    await connection.add_listener(
        ACCESS_CHANNEL, lambda _connection, _pid, _channel, text: found.put_nowait(orjson.loads(str(text)))
    )
    yield found
    await connection.close()


async def suspend(admin: Person, user: dict[str, Any]) -> None:
    assert (
        await admin.patch(f"/api/v1/admin/users/{user['id']}", {"status": "suspended"})
    ).status_code == 200


@pytest.mark.parametrize(
    ("path", "marker"),
    [("/api/v1/chats/1/stream", b"event: error\ndata: {"), ("/v1/models", b'data: {"error":{')],
)
async def test_a_suspended_persons_stream_ends_at_once_and_says_why(
    streaming: Gateway, path: str, marker: bytes
) -> None:
    admin, member = await streaming.sign_up("ada"), await streaming.sign_up("grace")
    async with (
        open_stream(streaming, member.token, path) as theirs,
        open_stream(streaming, admin.token, path) as other,
    ):
        pieces = theirs.aiter_raw()
        assert await anext(pieces) == b"data: a\n\n"
        await suspend(admin, member.user)
        begun = time.monotonic()
        rest = b"".join([piece async for piece in pieces])
        assert is_within(time.monotonic() - begun, 2)
        assert marker in rest
        assert b"account_suspended" in rest
        others = other.aiter_raw()
        assert await anext(others) == b"data: a\n\n"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(others), 0.3)


async def test_what_has_not_been_answered_is_refused(streaming: Gateway) -> None:
    admin, member = await streaming.sign_up("ada"), await streaming.sign_up("grace")
    waiting = asyncio.ensure_future(member.get("/api/v1/chats?late"))
    await asyncio.sleep(0.2)
    await suspend(admin, member.user)
    answer = await asyncio.wait_for(waiting, 20)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_suspended")


async def test_a_revoked_keys_stream_ends_and_its_owners_goes_on(streaming: Gateway) -> None:
    owner = await streaming.sign_up("ada")
    made = (await owner.post("/api/v1/auth/api-keys", {"name": "robot"})).json()
    async with (
        open_stream(streaming, made["key"], "/v1/models") as robots,
        open_stream(streaming, owner.token, "/v1/models") as own,
    ):
        assert (await owner.delete(f"/api/v1/auth/api-keys/{made['id']}")).status_code == 204
        rest = b"".join([piece async for piece in robots.aiter_raw()])
        assert b"key_revoked" in rest
        assert await anext(own.aiter_raw()) == b"data: a\n\n"


async def test_a_session_that_is_signed_out_takes_its_streams_along(streaming: Gateway) -> None:
    person = await streaming.sign_up("ada")
    async with open_stream(streaming, person.token, "/v1/models") as stream:
        assert (await person.http.post("/api/v1/auth/signout")).status_code == 204
        assert b"session_ended" in b"".join([piece async for piece in stream.aiter_raw()])


async def test_other_services_hear_of_it_within_a_second_and_again(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    async with heard(gateway) as found:
        begun = time.monotonic()
        await suspend(admin, member.user)
        first = await asyncio.wait_for(found.get(), 20)
        assert is_within(time.monotonic() - begun, 1)
        assert first["topic"] == "account.suspended"
        payload = first["payload"]
        assert payload["user_id"] == member.user["id"]
        assert (payload["organisation_id"], payload["role"]) == (member.user["organisation_id"], "user")
        assert payload["at"]
        assert await gateway.state.announcements.repeat() == 1
        assert (await asyncio.wait_for(found.get(), 20))["id"] == first["id"]
        await admin.patch(f"/api/v1/admin/users/{member.user['id']}", {"status": "active"})
        assert await gateway.state.announcements.repeat() == 0


async def test_a_changed_role_and_a_revoked_key_are_heard_too(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    made = (await member.post("/api/v1/auth/api-keys", {"name": "robot"})).json()
    ends: asyncio.Queue[AccessEnd] = asyncio.Queue()

    async def end_work(end: AccessEnd) -> None:
        ends.put_nowait(end)

    subscriber = access_subscriber(gateway.database.app_url, service="chat", end_work=end_work)
    subscriber.start()
    await asyncio.wait_for(subscriber.listening.wait(), 20)
    await admin.patch(f"/api/v1/admin/users/{member.user['id']}", {"role": "pending"})
    changed = await asyncio.wait_for(ends.get(), 20)
    assert (changed.user_id, str(changed.role)) == (UUID(member.user["id"]), "pending")
    await admin.patch(f"/api/v1/admin/users/{member.user['id']}", {"role": "user"})
    await asyncio.wait_for(ends.get(), 20)
    await member.delete(f"/api/v1/auth/api-keys/{made['id']}")
    assert (await asyncio.wait_for(ends.get(), 20)).key_id == UUID(made["id"])
    assert await gateway.state.announcements.repeat() == 2
    await subscriber.close()


async def test_a_key_cannot_revoke_its_owners_other_keys(gateway: Gateway, member: Person) -> None:
    narrow = (
        await member.post("/api/v1/auth/api-keys", {"name": "narrow", "scopes": ["keys:manage"]})
    ).json()
    other = (await member.post("/api/v1/auth/api-keys", {"name": "other"})).json()
    async with gateway.client(headers={"authorization": f"Bearer {narrow['key']}"}) as http:
        assert (await http.delete(f"/api/v1/auth/api-keys/{other['id']}")).status_code == 403
        assert (
            await http.post(f"/api/v1/auth/api-keys/{other['id']}/rotate", json={"grace_s": 0})
        ).status_code == 403
        assert (await http.delete(f"/api/v1/auth/api-keys/{narrow['id']}")).status_code == 204


async def test_a_deleted_account_is_announced_for_as_long_as_its_event_is_kept(
    gateway: Gateway, admin: Person, member: Person
) -> None:
    async with heard(gateway) as found:
        assert (await admin.delete(f"/api/v1/admin/users/{member.user['id']}")).status_code == 204
        first = await asyncio.wait_for(found.get(), 20)
        assert (first["topic"], first["payload"]["user_id"]) == ("account.deleted", member.user["id"])
        await gateway.fetch(
            "UPDATE outbox SET id = uuidv7(interval '-6 days'), created_at = now() - interval '6 days'"
        )
        assert await gateway.state.announcements.repeat() == 1
        assert (await asyncio.wait_for(found.get(), 20))["payload"] == first["payload"]


async def test_a_deleted_persons_stream_ends_at_once_and_says_why(streaming: Gateway) -> None:
    admin, member = await streaming.sign_up("ada"), await streaming.sign_up("grace")
    async with open_stream(streaming, member.token, "/api/v1/chats/1/stream") as answer:
        pieces = answer.aiter_bytes()
        assert await anext(pieces) == b"data: a\n\n"
        assert (await admin.delete(f"/api/v1/admin/users/{member.user['id']}")).status_code == 204
        rest = b"".join([piece async for piece in pieces])
    assert b"account_deleted" in rest
