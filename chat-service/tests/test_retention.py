"""After two years the record of how replies were written is gone, and every chat is there; a deleted chat
leaves what is listed.
"""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from shared.access import ACCESS_CHANNEL

pytestmark = pytest.mark.asyncio(loop_scope="module")

_OLD = "now() - interval '800 days'"
_TABLES = ("chat", "message", "turn", "journal", "run_cancellation", "outbox", "idempotency_key")


async def rows(admin: Any, table: str) -> list[str]:
    return [row[0] for row in await admin.fetch(f"SELECT t::text FROM chat.{table} t")]


async def turn_ids(admin: Any, chat: str) -> set[UUID]:
    return {row[0] for row in await admin.fetch("SELECT id FROM chat.turn WHERE chat_id = $1", UUID(chat))}


async def test_two_years_later_turns_are_bounded_and_every_message_is_there(
    start: Any, admin: Any, play: Any
) -> None:
    service = await start(journal_retention_s=0)
    user = service.user()
    old, fresh = await user.new_chat(), await user.new_chat()
    seen = await user.say(old, "long ago", headers={"idempotency-key": "old"})
    await user.say(fresh, "just now", headers={"idempotency-key": "fresh"})
    reply = seen[0].data["reply_id"]
    before = (await user.message(old, reply), await user.branch(old))
    await service.app.state.purge()
    await admin.execute(
        f"UPDATE chat.turn SET ended_at = {_OLD}, created_at = {_OLD} WHERE chat_id = '{old}';"
        f"UPDATE chat.idempotency_key SET created_at = {_OLD} WHERE key = 'old';"
        "INSERT INTO chat.outbox (id, topic, key, payload, published_at) VALUES"
        f" (uuidv7(interval '-800 days'), 't', 'old', '{{}}', {_OLD}), (uuidv7(interval '-6 days'), 't', "
        f"'fresh', '{{}}', now()),"
        " (uuidv7(interval '-800 days'), 't', 'undelivered', '{}', NULL);"
    )

    await service.app.state.retention.run()

    assert await turn_ids(admin, old) == set()
    assert len(await turn_ids(admin, fresh)) == 1
    assert {row[0] for row in await admin.fetch("SELECT key FROM chat.outbox")} == {"fresh", "undelivered"}
    assert [row[0] for row in await admin.fetch("SELECT key FROM chat.idempotency_key")] == ["fresh"]
    assert (await user.message(old, reply), await user.branch(old)) == before
    assert play.text_of(await user.resume(old, reply)) == "Hello there!"
    # The old chat still works.
    more = await user.say(old, "and now?", parent_id=reply)
    assert more[-1].data["status"] == "complete"
    assert await service.app.state.retention.run() == {}


async def test_a_turn_whose_cost_or_journal_is_still_needed_stays(start: Any, admin: Any) -> None:
    service = await start(journal_retention_s=10**9, cost_interval_s=3600)
    user = service.user()
    chats = [await user.new_chat() for _ in range(2)]
    for chat in chats:
        await user.say(chat)
    await admin.execute(
        f"UPDATE chat.turn SET ended_at = {_OLD} WHERE chat_id = ANY($1)", [UUID(chat) for chat in chats]
    )
    pending = "cost_pending = true, cost_check_at = now() + interval '1 day', journaled = false"
    await admin.execute(f"UPDATE chat.turn SET {pending} WHERE chat_id = $1", UUID(chats[0]))
    await service.app.state.retention.run()
    assert [len(await turn_ids(admin, chat)) for chat in chats] == [1, 1]


async def test_a_deleted_chat_leaves_only_what_the_page_of_retention_lists(start: Any, admin: Any) -> None:
    service = await start()
    user = service.user()
    chat = await user.new_chat(title="a title nobody else has")
    seen = await user.say(chat, "words nobody else says", headers={"idempotency-key": "k"})
    reply = seen[0].data["reply_id"]
    assert any(chat in row for row in await rows(admin, "message"))
    assert (await user.http.delete(f"/api/v1/chats/{chat}")).status_code == 204
    left = {
        table: text for table in _TABLES for text in await rows(admin, table) if chat in text or reply in text
    }
    assert set(left) <= {"outbox", "idempotency_key"}
    whole = "".join([text for table in _TABLES for text in await rows(admin, table)])
    assert "nobody else" not in whole


async def announce_deleted(admin: Any, user_id: Any) -> None:
    """As the gateway does."""
    event = {
        "id": str(uuid4()),
        "topic": "account.deleted",
        "key": f"user:{user_id}",
        "payload": {"user_id": str(user_id)},
    }
    await admin.execute("SELECT pg_notify($1, $2)", ACCESS_CHANNEL, json.dumps(event))


async def test_a_deleted_account_takes_its_chats_along_and_nobody_elses(
    start: Any, admin: Any, play: Any
) -> None:
    service = await start()
    gone, other = service.user(), service.user()
    chats = {user: await user.new_chat() for user in (gone, other)}
    for user, chat in chats.items():
        await user.say(chat, "words of somebody", headers={"idempotency-key": "k"})
    user_id = gone.principal.user_id

    await announce_deleted(admin, user_id)

    async def noted() -> bool:
        return await admin.fetchval("SELECT count(*) FROM chat.erasure WHERE user_id = $1", user_id) == 1

    await play.until(noted)
    await service.app.state.erasures.run()
    naming = {
        table
        for table in (*_TABLES, "erasure")
        for text in await rows(admin, table)
        if str(user_id) in text or chats[gone] in text
    }
    assert naming == {"erasure"}
    assert (await other.branch(chats[other]))["data"][0]["content"] == "words of somebody"
    await admin.execute(f"UPDATE chat.erasure SET requested_at = {_OLD}, done_at = {_OLD}")
    await service.app.state.retention.run()
    assert await rows(admin, "erasure") == []
