"""What a suspended person or a revoked key has running ends, in every process, within two seconds."""

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from identities import make_principal
from shared.access import ACCESS_CHANNEL
from shared.auth.permissions import Role
from shared.ids import uuid7
from suite.waiting import is_within

pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextlib.asynccontextmanager
async def _running(user: Any, play: Any) -> Any:
    chat = await user.new_chat()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "hi"}) as events:
        seen = await play.take(events, 2)
        yield chat, seen[0].data["reply_id"], events


async def _announce(admin: Any, topic: str, **payload: Any) -> float:
    event = {"id": uuid7(), "topic": topic, "key": "k", "payload": {**payload, "at": "2026-11-27T00:00:00Z"}}
    await admin.execute("SELECT pg_notify($1, $2)", ACCESS_CHANNEL, orjson.dumps(event, default=str).decode())
    return time.monotonic()


async def _heard(*services: Any) -> None:
    """Until every process listens."""
    for service in services:
        await asyncio.wait_for(service.app.state.access.listening.wait(), 20)


async def test_a_suspended_persons_replies_end_in_every_process(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    one, two = await start(), await start()
    await _heard(one, two)
    person, other = one.user(), one.user()
    suite.default = play.says("so far", until=asyncio.Event())
    async with (
        _running(person, play) as (chat, reply, events),
        _running(two.user(person.principal), play) as (chat_2, reply_2, _),
        _running(other, play) as (chat_3, reply_3, _),
    ):
        told_at_s = await _announce(admin, "account.suspended", user_id=person.principal.user_id)
        for ended in ((chat, reply), (chat_2, reply_2)):
            message = await person.until_ended(*ended)
            assert (message["status"], message["content"], message["finish_reason"]) == (
                "failed",
                "so far",
                "account_suspended",
            )
            assert message["error"]["code"] == "account_suspended"
        assert is_within(time.monotonic() - told_at_s, 2)
        rest = [event async for event in events]
        assert [event.event for event in rest] == ["error", "done"]
        assert rest[0].data["code"] == "account_suspended"
        assert suite.cancelled == 2
        assert (await other.message(chat_3, reply_3))["status"] == "streaming"


async def test_a_revoked_key_ends_what_runs_under_it_and_nothing_else(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    service = await start()
    await _heard(service)
    browser = service.user()
    keyed = service.user(replace(browser.principal, key_id=uuid4()))
    suite.default = play.says("so far", until=asyncio.Event())
    async with _running(keyed, play) as (chat, reply, _), _running(browser, play) as (chat_2, reply_2, _):
        await _announce(admin, "key.revoked", key_id=keyed.principal.key_id, user_id=keyed.principal.user_id)
        assert (await keyed.until_ended(chat, reply))["error"]["code"] == "key_revoked"
        assert (await browser.message(chat_2, reply_2))["status"] == "streaming"


@pytest.mark.parametrize(
    ("role", "ends"), [(Role.PENDING, True), (Role.ADMIN_READONLY, True), (Role.TEAM_ADMIN, False)]
)
async def test_a_new_role_ends_what_it_does_not_permit(
    start: Any, suite: Any, play: Any, admin: Any, role: Role, ends: bool
) -> None:
    service = await start()
    await _heard(service)
    user = service.user()
    gate = asyncio.Event()
    suite.default = play.says("so far", until=gate)
    async with _running(user, play) as (chat, reply, events):
        await _announce(admin, "account.role_changed", user_id=user.principal.user_id, role=role.value)
        await asyncio.sleep(0.3)
        gate.set()
        async for _ in events:
            pass
    assert (await user.message(chat, reply))["status"] == ("failed" if ends else "complete")


async def test_a_reply_that_waits_for_its_model_ends_too_and_is_never_sent(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    service = await start(model_retry_max_s=0.5)
    await _heard(service)
    user = service.user()
    suite.default = play.refuses(503, {"error": {"message": "loading", "code": "model_loading"}})
    async with _running(user, play) as (chat, reply, _):
        await _announce(admin, "account.suspended", user_id=user.principal.user_id)
        assert (await user.until_ended(chat, reply))["error"]["code"] == "account_suspended"
    asked = len(suite.requests)
    await asyncio.sleep(1)
    assert len(suite.requests) == asked


async def test_a_process_that_does_not_hear_it_ends_the_reply_at_its_heartbeat(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    deaf, hearing = await start(), await start()
    await _heard(hearing)
    await deaf.app.state.access.close()
    user = deaf.user()
    suite.default = play.says("so far", until=asyncio.Event())
    async with _running(user, play) as (chat, reply, _):
        await _announce(admin, "account.suspended", user_id=user.principal.user_id)
        assert (await user.until_ended(chat, reply))["error"]["code"] == "account_suspended"


async def test_a_reply_whose_process_died_meanwhile_says_the_same(
    start: Any, suite: Any, play: Any, admin: Any
) -> None:
    service = await start(turn_lease_s=60, reaper_interval_s=3600)
    await _heard(service)
    user = service.user()
    suite.default = play.says("so far", until=asyncio.Event())
    async with _running(user, play) as (chat, reply, _):
        await asyncio.sleep(0.3)  # until it is journaled
        dead = (
            "UPDATE chat.turn SET owner = 'dead', user_id = $2, lease_until = now() - interval '1 s' WHERE "
            "message_id = $1"
        )
        stranger = make_principal()
        await admin.execute(dead, UUID(reply), stranger.user_id)
        await _announce(admin, "account.suspended", user_id=stranger.user_id)

        async def noted() -> bool:
            return (
                await admin.fetchval("SELECT end_reason FROM chat.turn WHERE message_id = $1", UUID(reply))
                is not None
            )

        await play.until(noted)
        other = (await start()).user(user.principal)
        message = await other.until_ended(chat, reply)
    assert (message["status"], message["finish_reason"], message["content"]) == (
        "failed",
        "account_suspended",
        "so far",
    )
