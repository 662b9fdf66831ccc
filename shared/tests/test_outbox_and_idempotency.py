"""Events and answers live and die with the transaction that made them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from shared.clock import utc_now
from shared.db import Database
from shared.errors import Invalid
from shared.idempotency import IDEMPOTENCY_SQL, KeyedWrite, Operation, begin, finish
from shared.ids import uuid7, uuid7_floor
from shared.metrics import Metrics
from shared.outbox import OUTBOX_SQL, OutboxEvent, Publish, Relay, append
from shared.retention import Retention, purge_outbox
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

OPERATION = Operation(principal="p", method="POST", route="/x", key="k")


@pytest.fixture
async def database(postgres: Any) -> AsyncIterator[Database]:
    database = Database(postgres.empty_database(), schema="public")
    async with database.transaction() as session:
        for statement in (OUTBOX_SQL + IDEMPOTENCY_SQL).split(";"):
            if statement.strip():
                await session.execute(text(statement))
    yield database
    await database.dispose()


def collector(into: list[Any]) -> Publish:
    async def publish(_: AsyncSession, events: Sequence[OutboxEvent]) -> None:
        into.extend(event.payload["n"] for event in events)

    return publish


async def test_an_event_of_a_rolled_back_transaction_never_leaves(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await append(session, topic="t", key="a", payload={"n": 1})
            raise RuntimeError
    seen: list[str] = []
    assert await Relay(database, collector(seen)).run_once() == 0


async def test_events_leave_in_order_once_over_two_relays(database: Database) -> None:
    async with database.transaction() as session:
        for n in range(250):
            await append(session, topic="t", key="a", payload={"n": n})
    seen: list[int] = []
    relays = [Relay(database, collector(seen)) for _ in range(2)]
    while len(seen) < 250:
        await asyncio.gather(*(relay.drain() for relay in relays))
    assert seen == list(range(250))


async def test_a_failed_publish_is_tried_again(database: Database) -> None:
    async with database.transaction() as session:
        await append(session, topic="t", key="a", payload={"n": 7})

    async def broken(_: AsyncSession, __: Sequence[OutboxEvent]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await Relay(database, broken).run_once()
    seen: list[int] = []
    assert await Relay(database, collector(seen)).run_once() == 1
    assert seen == [7]


async def test_old_events_are_purged_in_batches_and_unpublished_ones_never(database: Database) -> None:
    old = utc_now() - timedelta(days=8)
    rows = [
        {"id": uuid7_floor(old + timedelta(milliseconds=n)), "published_at": None if n == 5 else old}
        for n in range(2500)
    ]
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO outbox (id, topic, key, payload, published_at) VALUES (:id, 't', 'a', '{}', "
                ":published_at)"
            ),
            rows,
        )
        await append(session, topic="t", key="a", payload={"n": 1})
    await Relay(database).drain()
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE outbox SET published_at = NULL WHERE id = :id"), {"id": rows[5]["id"]}
        )
    await Retention(
        [purge_outbox(database, keep=timedelta(days=7))], Metrics(service="test"), schema="test"
    ).run()
    async with database.transaction() as session:
        left = (await session.execute(text("SELECT id FROM outbox ORDER BY id"))).scalars().all()
    assert len(left) == 2
    assert left[0] == rows[5]["id"]


async def test_a_repeated_operation_gets_the_first_answer(database: Database) -> None:
    async with database.transaction() as session:
        assert await begin(session, OPERATION, body=b"one") is None
        await finish(session, OPERATION, status=201, body=b"answer")
    async with database.transaction() as session:
        stored = await begin(session, OPERATION, body=b"one")
    assert stored is not None
    assert (stored.status, stored.body) == (201, b"answer")


async def test_another_body_under_the_same_key_is_refused(database: Database) -> None:
    async with database.transaction() as session:
        await begin(session, OPERATION, body=b"one")
        await finish(session, OPERATION, status=201, body=b"answer")
    with pytest.raises(Invalid):
        async with database.transaction() as session:
            await begin(session, OPERATION, body=b"two")


class Body(BaseModel):
    content: str
    parent_id: int | None = None


def keyed(body: Body, key: str | None = "k") -> KeyedWrite | None:
    return KeyedWrite.of(key, body, principal=uuid7(), route="/r")


async def test_a_keyed_write_finds_what_it_remembered(database: Database) -> None:
    write = keyed(Body(content="one"))
    assert write is not None
    async with database.transaction() as session:
        assert await write.first(session) is None
        await write.remember(session, {"run_id": "x"})
    async with database.transaction() as session:
        assert await write.first(session) == {"run_id": "x"}


async def test_what_was_sent_is_what_a_keyed_write_compares(database: Database) -> None:
    write, other = keyed(Body(content="one")), keyed(Body(content="one", parent_id=None))
    assert keyed(Body(content="one"), key=None) is None
    assert write is not None
    assert other is not None
    async with database.transaction() as session:
        await write.first(session)
        await write.remember(session, {"run_id": "x"})
    with pytest.raises(Invalid):
        async with database.transaction() as session:
            await KeyedWrite(write.operation, other.body).first(session)


async def test_concurrent_repetitions_do_the_work_once(database: Database) -> None:
    done: list[int] = []

    async def attempt(n: int) -> bytes:
        async with database.transaction() as session:
            stored = await begin(session, OPERATION, body=b"one")
            if stored is not None:
                return stored.body
            await asyncio.sleep(0.05)
            done.append(n)
            await finish(session, OPERATION, status=200, body=str(n).encode())
            return str(n).encode()

    answers = await asyncio.gather(*(attempt(n) for n in range(4)))
    assert len(done) == 1
    assert set(answers) == {str(done[0]).encode()}


async def test_work_that_failed_leaves_the_key_free(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await begin(session, OPERATION, body=b"one")
            raise RuntimeError
    async with database.transaction() as session:
        assert await begin(session, OPERATION, body=b"one") is None
        await finish(session, OPERATION, status=200, body=b"")
