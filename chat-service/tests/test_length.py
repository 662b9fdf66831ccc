"""A turn costs the same in a long chat and in a short one."""

import asyncio
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from chat_service.messages.repository import HISTORY
from shared.ids import uuid7
from sqlalchemy import event

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = 4_000
TURNS = 10
RATIO_MAX = 1.3
_OF_A_TURN = re.compile(r"Task-\d+|turn [0-9a-f]{8}-")


@contextmanager
def _counted(service: Any) -> Iterator[list[str]]:
    """The statements of the turns themselves, in the tasks of their requests and their own; the periodic jobs
    have other names.
    """
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        task = asyncio.current_task()
        if task is not None and _OF_A_TURN.match(task.get_name()):
            statements.append(statement)

    engine = service.app.state.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def _chat_of(admin: asyncpg.Connection, user: Any, count: int) -> str:
    """A chat with one branch of `count` messages."""
    chat = await user.new_chat(title="t")
    rows, parent = [], None
    started = datetime.now(UTC) - timedelta(days=1)
    for n in range(count):
        row_id, role = uuid7(), ("user", "assistant")[n % 2]
        at = started + timedelta(seconds=n)
        rows.append(
            (UUID(chat), row_id, parent, role, f"message {n} with some words in it", "complete", at, at)
        )
        parent = row_id
    columns = ["chat_id", "id", "parent_id", "role", "content", "status", "created_at", "updated_at"]
    await admin.copy_records_to_table("message", schema_name="chat", records=rows, columns=columns)
    await admin.execute("UPDATE chat.chat SET current_message_id = $1 WHERE id = $2", parent, UUID(chat))
    return chat


async def _wal_bytes(admin: asyncpg.Connection) -> int:
    return int(await admin.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))


@dataclass
class Cost:
    """What turns in one chat took."""

    statements: int = 0
    wal_bytes: int = 0
    seconds: list[float] = field(default_factory=list)


async def _turn(service: Any, user: Any, admin: asyncpg.Connection, chat: str, cost: Cost) -> None:
    wal_before = await _wal_bytes(admin)
    with _counted(service) as statements:
        started = time.perf_counter()
        await user.say(chat, "one more turn")
        cost.seconds.append(time.perf_counter() - started)
    cost.statements += len(statements)
    cost.wal_bytes += await _wal_bytes(admin) - wal_before


async def test_a_turn_in_a_chat_of_4000_messages_costs_what_one_in_a_chat_of_2_costs(
    service: Any, user: Any, suite: Any, database: Any
) -> None:
    admin = await asyncpg.connect(database.admin_url)
    try:
        chats = [await _chat_of(admin, user, count) for count in (2, LONG)]
        await admin.execute("VACUUM ANALYZE chat.message")
        await admin.execute("CHECKPOINT")
        warm_up, short, long = Cost(), Cost(), Cost()
        for costs in ((warm_up, warm_up), *[(short, long)] * TURNS):
            for chat, cost in zip(chats, costs, strict=True):  # in turns, so that a busy machine slows both
                await _turn(service, user, admin, chat, cost)
    finally:
        await admin.close()
    assert long.statements == short.statements > 0
    assert long.wal_bytes <= short.wal_bytes * RATIO_MAX
    # Some milliseconds of a loaded machine may fall on either side; the benchmark states the ratio of quiet
    # runs.
    assert statistics.median(long.seconds) <= statistics.median(short.seconds) * RATIO_MAX + 0.03
    assert len(suite.requests[-1]["messages"]) <= service.app.state.settings.history_messages_max


async def test_the_history_walk_reads_no_more_rows_than_the_budget(
    service: Any, user: Any, database: Any
) -> None:
    admin = await asyncpg.connect(database.admin_url)
    try:
        chat = await _chat_of(admin, user, LONG)
        await admin.execute("ANALYZE chat.message")
        leaf = await admin.fetchval("SELECT current_message_id FROM chat.chat WHERE id = $1", UUID(chat))
        rows = await _rows_read(service, admin, UUID(chat), leaf)
    finally:
        await admin.close()
    assert rows <= 3 * service.app.state.settings.history_messages_max


async def _rows_read(service: Any, admin: asyncpg.Connection, chat_id: UUID, leaf_id: UUID) -> int:
    """Rows that index and table scans of the walk return, by EXPLAIN ANALYZE of the statement that the
    service sends.
    """
    values = {
        "chat_id": f"'{chat_id}'::uuid",
        "leaf_id": f"'{leaf_id}'::uuid",
        "depth_max": "40",
        "bytes_max": "7500",
    }
    statement = HISTORY
    for name, value in values.items():
        statement = statement.replace(f":{name}", value)
    await admin.execute("SET search_path = chat")
    plan = await admin.fetch(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) {statement}")
    assert service is not None
    total = 0
    for line in (record[0] for record in plan):
        if "Scan" in line and "on message" in line and "rows=" in line:
            rows, loops = line.split("rows=")[1].split(" ")[0], line.split("loops=")[1].rstrip(")")
            total += round(float(rows) * int(loops))
    assert total > 0
    return total
