"""A chat turn in a chat of 4,000 messages against one in a chat of 2: time, CPU, database work and bytes
written.

The history budget is fixed, the provider is scripted, and the turns of both chats alternate, so that a slow
moment meets both.
"""

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson
from shared.clock import utc_now
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from shared.sse import SseParser

from benchmarks.platform import MODEL, Platform, platform

_COUNTED = ("chat-service", "postgres")
_QUESTION = "tell me something !tokens=20"
_INSERT = """
    INSERT INTO chat.message (id, chat_id, parent_id, role, content, model, status, created_at, updated_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::timestamptz[], $8::timestamptz[])
"""
_WORK = (
    "SELECT xact_commit, blks_hit + blks_read, pg_current_wal_lsn() - '0/0'::pg_lsn FROM pg_stat_database "
    "WHERE datname = 'atrium'"
)


@dataclass(slots=True)
class Cost:
    """What the turns of one chat took, one value a turn."""

    seconds: list[float] = field(default_factory=list[float])
    cpu_us: list[float] = field(default_factory=list[float])
    transactions: list[float] = field(default_factory=list[float])
    blocks: list[float] = field(default_factory=list[float])
    wal_bytes: list[float] = field(default_factory=list[float])


async def make_chat(ready: Platform, messages: int) -> str:
    """A chat whose active branch holds `messages` messages, written straight into its table."""
    made = await ready.call("POST", "/api/v1/chats", {"model": MODEL, "title": f"{messages} messages"})
    chat_id = str(made["id"])
    ids = [uuid7() for _ in range(messages)]
    start = utc_now() - timedelta(seconds=messages)
    roles = ["user" if index % 2 == 0 else "assistant" for index in range(messages)]
    columns: list[list[object]] = [
        list(ids),
        [UUID(chat_id)] * messages,
        [None, *ids[:-1]],
        list(roles),
        [
            f"message number {index} of a long conversation about nothing in particular"
            for index in range(messages)
        ],
        [None if role == "user" else MODEL for role in roles],
        ["complete"] * messages,
        [start + timedelta(seconds=index) for index in range(messages)],
    ]
    await ready.sql(_INSERT, *columns)
    await ready.sql("UPDATE chat.chat SET current_message_id = $2 WHERE id = $1", UUID(chat_id), ids[-1])
    return chat_id


async def take_turn(pool: UpstreamPool, ready: Platform, chat_id: str) -> float:
    """Seconds from the question to the done event. Raises RuntimeError when the reply is not complete."""
    headers = [
        (b"authorization", b"Bearer " + ready.token.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream"),
    ]
    parser, started = SseParser(), time.perf_counter()
    async with pool.request(
        "POST",
        ready.url,
        f"/api/v1/chats/{chat_id}/messages".encode(),
        headers,
        body=orjson.dumps({"content": _QUESTION}),
        timeouts=Timeouts(),
    ) as response:
        if response.status >= 300:
            raise RuntimeError(
                f"the turn was refused: {response.status} {(await response.read(10_000)).decode()}"
            )
        async for chunk in response.iter_raw():
            for event in parser.feed(chunk):
                if event.event == "done":
                    if orjson.loads(event.data)["status"] != "complete":
                        raise RuntimeError(f"the reply ended as {event.data.decode()}")
                    return time.perf_counter() - started
                if event.event == "error":
                    raise RuntimeError(event.data.decode())
    raise RuntimeError("the stream ended without a done event")


async def measured_turn(
    pool: UpstreamPool,
    ready: Platform,
    counters: "asyncpg.Connection[asyncpg.Record]",
    *,
    chat_id: str,
    cost: Cost,
) -> None:
    """One turn with the counters around it; a second more lets the journal fold and the statistics arrive."""
    work, cpu = await counters.fetchrow(_WORK), ready.cpu_us(_COUNTED)
    cost.seconds.append(await take_turn(pool, ready, chat_id))
    await asyncio.sleep(1.2)
    after, done = ready.cpu_us(_COUNTED), await counters.fetchrow(_WORK)
    cost.cpu_us.append(sum(after.values()) - sum(cpu.values()))
    assert work is not None
    assert done is not None
    for values, index in ((cost.transactions, 0), (cost.blocks, 1), (cost.wal_bytes, 2)):
        values.append(float(done[index] - work[index]))


async def compare(ready: Platform, *, long: int, turns: int) -> dict[str, object]:
    """Medians of both chats and their ratio."""
    pool = UpstreamPool()
    chats = {2: (await make_chat(ready, 2), Cost()), long: (await make_chat(ready, long), Cost())}
    await ready.sql("ANALYZE chat.message")
    counters = await asyncpg.connect(
        ready.admin_database_url
    )  # one connection: starting another costs more than a turn
    try:
        for chat_id, _ in chats.values():
            for _ in range(3):
                await take_turn(pool, ready, chat_id)
        await asyncio.sleep(2)
        for _ in range(turns):
            for chat_id, cost in chats.values():
                await measured_turn(pool, ready, counters, chat_id=chat_id, cost=cost)
    finally:
        await counters.close()
        await pool.aclose()
    short_cost, long_cost = chats[2][1], chats[long][1]
    rows: dict[str, object] = {}
    for name in ("seconds", "cpu_us", "transactions", "blocks", "wal_bytes"):
        few, many = statistics.median(getattr(short_cost, name)), statistics.median(getattr(long_cost, name))
        rows[name] = {
            "chat_of_2": round(few, 4),
            f"chat_of_{long}": round(many, 4),
            "ratio": round(many / few, 2) if few else None,
        }
    return {
        **rows,
        "turns": turns,
        "target": "seconds, cpu_us, transactions and wal_bytes: each ratio <= 1.3",
    }


def run(*, messages: int, turns: int) -> dict[str, object]:
    """Starts a platform whose turns send two messages of history."""
    with platform(asyncio.run, env={"HISTORY_MESSAGES_MAX": "2"}) as ready:
        return asyncio.run(compare(ready, long=messages, turns=turns))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    print(json.dumps(run(messages=options.messages, turns=options.turns), indent=2))


if __name__ == "__main__":
    main()
