"""Work ends for those who lost access, however the news travels."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import shared.access as access_module
import shared.subscriber as subscriber_module
from shared.access import ACCESS_CHANNEL, AccessEnd, AccessTopic, EndReason, access_subscriber
from shared.auth.permissions import ROLE_PERMISSIONS, Permission, Role
from shared.auth.principal import DEFAULT_ORGANISATION_ID, DEFAULT_TEAM_ID, Principal
from shared.db import Database
from shared.outbox import OutboxEvent, publish_on
from shared.subscriber import Subscriber
from sqlalchemy import text
from suite.waiting import eventually

WAIT_MAX_S = 10.0


@pytest.fixture
async def database(postgres: Any) -> AsyncIterator[Database]:
    database = Database(postgres.empty_database(), schema="public")
    yield database
    await database.dispose()


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


async def announce(database: Database, *events: OutboxEvent) -> None:
    async with database.transaction() as session:
        await publish_on(ACCESS_CHANNEL)(session, events)


def event(topic: str, **payload: Any) -> OutboxEvent:
    return OutboxEvent(uuid4(), topic, "k", payload, datetime.now(UTC))


def principal(user_id: UUID, key_id: UUID | None = None) -> Principal:
    return Principal(
        user_id=user_id, organisation_id=DEFAULT_ORGANISATION_ID, team_id=DEFAULT_TEAM_ID, team_ids=(),
        role=Role.USER,
        permissions=ROLE_PERMISSIONS[Role.USER], key_id=key_id,
    )  # fmt: skip


async def test_every_kind_of_lost_access_is_heard(database: Database) -> None:
    ended: list[AccessEnd] = []

    async def end_work(end: AccessEnd) -> None:
        ended.append(end)

    user, key = uuid4(), uuid4()
    subscriber = access_subscriber(url_of(database), service="test", end_work=end_work)
    subscriber.start()
    try:
        await asyncio.wait_for(subscriber.listening.wait(), WAIT_MAX_S)
        await announce(
            database,
            event(AccessTopic.SUSPENDED, user_id=user),
            event(AccessTopic.ROLE_CHANGED, user_id=user, role="pending"),
            event(AccessTopic.KEY_REVOKED, key_id=key, user_id=user),
            event(AccessTopic.DELETED, user_id=user),
            event("usage.recorded", user_id=user),
        )
        await eventually(lambda: len(ended) == 4)
    finally:
        await subscriber.close()
    assert ended == [
        AccessEnd(EndReason.ACCOUNT_SUSPENDED, user_id=user),
        AccessEnd(EndReason.ROLE_CHANGED, user_id=user, role=Role.PENDING),
        AccessEnd(EndReason.KEY_REVOKED, key_id=key),
        AccessEnd(EndReason.ACCOUNT_DELETED, user_id=user),
    ]


async def test_a_repeated_announcement_is_handled_once_and_again_after_a_gap(database: Database) -> None:
    heard: list[int] = []

    async def handle(payload: Any) -> None:
        heard.append(payload["n"])

    subscriber = Subscriber(url_of(database), name="gap", channel=ACCESS_CHANNEL, handlers={"t": handle})
    subscriber.start()
    try:
        await asyncio.wait_for(subscriber.listening.wait(), WAIT_MAX_S)
        first, last = event("t", n=1), event("t", n=2)
        await announce(database, first, first)
        await announce(database, first, last)
        await eventually(lambda: 2 in heard)
        assert heard == [1, 2]
        async with database.transaction() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                    "'atrium-gap-listen'"
                )
            )
        await eventually(lambda: not subscriber.listening.is_set())
        await asyncio.wait_for(subscriber.listening.wait(), WAIT_MAX_S)
        await announce(database, first)
        await eventually(lambda: heard == [1, 2, 1])
    finally:
        await subscriber.close()


@pytest.mark.parametrize("repeats", [True, False])
async def test_what_is_begun_with_a_token_of_before_is_ended_too(
    database: Database, monkeypatch: pytest.MonkeyPatch, repeats: bool
) -> None:
    monkeypatch.setattr(subscriber_module, "_AGAIN_S", 0.1)
    monkeypatch.setattr(access_module, "_OLD_TOKENS_S", 60.0 if repeats else 0.0)
    ended: list[AccessEnd] = []

    async def end_work(end: AccessEnd) -> None:
        ended.append(end)

    subscriber = access_subscriber(url_of(database), service="late", end_work=end_work)
    subscriber.start()
    try:
        await asyncio.wait_for(subscriber.listening.wait(), WAIT_MAX_S)
        lost, other = (
            event(AccessTopic.SUSPENDED, user_id=uuid4()),
            event(AccessTopic.SUSPENDED, user_id=uuid4()),
        )
        await announce(database, lost, lost)
        await eventually(lambda: len(ended) == 1)
        await asyncio.sleep(0.15)
        await announce(database, lost, lost, other)
        await eventually(lambda: len(ended) >= 2 and ended[-1].user_id == other.payload["user_id"])
    finally:
        await subscriber.close()
    assert [end.user_id for end in ended].count(lost.payload["user_id"]) == (2 if repeats else 1)


async def test_a_failed_handler_is_called_again_and_nonsense_does_not_stop_the_next(
    database: Database,
) -> None:
    calls: list[int] = []

    async def handle(payload: Any) -> None:
        calls.append(payload["n"])
        if len(calls) == 1:
            raise ConnectionError

    subscriber = Subscriber(url_of(database), name="fail", channel=ACCESS_CHANNEL, handlers={"t": handle})
    subscriber.start()
    try:
        await asyncio.wait_for(subscriber.listening.wait(), WAIT_MAX_S)
        async with database.transaction() as session:
            await session.execute(text(f"NOTIFY {ACCESS_CHANNEL}, 'no json'"))
        await announce(database, event("t", wrong=1), event("t", n=7))
        await eventually(lambda: calls == [7, 7])
    finally:
        await subscriber.close()


def test_a_key_ends_its_own_work_and_a_role_only_what_it_forbids() -> None:
    user, key = uuid4(), uuid4()
    revoked = AccessEnd(EndReason.KEY_REVOKED, key_id=key)
    assert revoked.covers(principal(user, key), Permission.MODELS_USE)
    assert not revoked.covers(principal(user), Permission.MODELS_USE)
    suspended = AccessEnd(EndReason.ACCOUNT_SUSPENDED, user_id=user)
    assert suspended.covers(principal(user, key), Permission.MODELS_USE)
    assert not suspended.covers(principal(uuid4()), Permission.MODELS_USE)
    finance = AccessEnd(EndReason.ROLE_CHANGED, user_id=user, role=Role.FINANCE)
    assert not finance.covers(principal(user), Permission.CHATS_WRITE)
    pending = AccessEnd(EndReason.ROLE_CHANGED, user_id=user, role=Role.PENDING)
    assert pending.covers(principal(user), Permission.CHATS_WRITE)
