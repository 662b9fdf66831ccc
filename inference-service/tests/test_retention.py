"""Settlements that billing refused for good end; those that can be delivered never do."""

from typing import Any

import asyncpg
import pytest

_ADD = """
INSERT INTO pending_settlement (request_id, action, body, refused, created_at, next_attempt_at) VALUES
    (uuidv7(), 'settle', 'refused, old', 'gone', now() - interval '800 days', now()),
    (uuidv7(), 'settle', 'refused, fresh', 'gone', now() - interval '399 days', now()),
    (uuidv7(), 'settle', 'waiting, old', NULL, now() - interval '800 days', now() + interval '1 day')
"""


@pytest.fixture
async def queue(database: Any) -> Any:
    connection = await asyncpg.connect(database.app_url, server_settings={"search_path": "inference"})
    yield connection
    await connection.close()


async def test_two_years_later_only_refused_settlements_are_gone(start: Any, queue: Any) -> None:
    async with start() as running:
        await queue.execute(_ADD)
        retention = running.app.state.retention
        await retention.run()
        assert {row[0] for row in await queue.fetch("SELECT body FROM pending_settlement")} == {
            "refused, fresh",
            "waiting, old",
        }
        assert await retention.run() == {}
