"""Agents that are gone, keys that may not run them, and runs that cannot be read."""

from dataclasses import replace
from typing import Any

import pytest
from chat_world import reply_id
from identities import make_principal
from shared.auth.permissions import Permission

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_agent_that_names_its_model_keeps_it(user: Any, others: Any) -> None:
    chat = await user.new_chat(model="of-the-chat", agent_id=others.add_agent(user, model="of-the-agent"))
    reply = reply_id(await user.say(chat))
    assert (others.runs[reply].body["model"], (await user.message(chat, reply))["model"]) == (
        None,
        "of-the-agent",
    )


async def test_an_agent_that_was_deleted_since_refuses_the_message_and_nothing_is_stored(
    user: Any, others: Any
) -> None:
    agent = others.add_agent(user)
    chat = await user.new_chat(agent_id=agent)
    del others.agents[agent]
    answer = await user.http.post(f"/api/v1/chats/{chat}/messages", json={"content": "hi"})
    assert (answer.status_code, answer.json()["code"]) == (404, "agent_not_found")
    assert (await user.branch(chat))["data"] == []


async def test_a_key_that_may_not_run_agents_is_refused(service: Any, user: Any, others: Any) -> None:
    chat = await user.new_chat(agent_id=others.add_agent(user))
    scopes = (Permission.CHATS_READ.value, Permission.CHATS_WRITE.value, Permission.MODELS_USE.value)
    limited = service.user(replace(make_principal(user_id=user.principal.user_id), scopes=scopes))
    answer = await limited.http.post(f"/api/v1/chats/{chat}/messages", json={"content": "hi"})
    assert (answer.status_code, "agents:run" in answer.json()["detail"]) == (403, True)


async def test_files_deleted_before_the_run_begins_are_left_out(user: Any, others: Any) -> None:
    kept, gone = others.add_file(user), others.add_file(user)
    chat = await user.new_chat(agent_id=others.add_agent(user))
    await user.say(chat, "one", attachments=[kept, gone])
    del others.files[gone]
    events = await user.say(chat, "two")
    assert (others.runs[reply_id(events)].body["file_ids"], events[-1].data["status"]) == ([kept], "complete")


async def test_events_of_a_newer_agent_service_and_nul_do_no_harm(user: Any, others: Any) -> None:
    async def work(run: Any) -> None:
        run.step(1)
        run.emit("invented_later", anything=1)
        run.emit("delta", text="a\x00b \\u0000")
        run.finish()

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    events = await user.say(chat)
    assert [event.id for event in events] == list(range(1, 7))
    assert (await user.message(chat, reply_id(events)))["content"] == "ab \\u0000"


async def test_what_cannot_be_read_fails_the_reply_and_cancels_the_run(
    user: Any, others: Any, play: Any
) -> None:
    async def work(run: Any) -> None:
        run.emit("step", step="no number")
        await run.cancelled.wait()

    others.script = work
    chat = await user.new_chat(agent_id=others.add_agent(user))
    events = await user.say(chat)
    assert (events[-2].data["code"], events[-1].data["status"]) == ("upstream_malformed", "failed")

    async def cancelled() -> bool:
        return others.cancels == [reply_id(events)]

    await play.until(cancelled)
