"""Replies from documents: files sent with messages, knowledge of the chat, citations."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from chat_documents import cited, kinds
from chat_world import reply_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def file(user: Any, others: Any) -> str:
    """A ready file with two passages."""
    file_id = others.add_file(user)
    others.add_passage(file_id, "The melting point of tin is 231.9 degrees.", page=3)
    others.add_passage(file_id, "Tin is soft.", page=None)
    return file_id


async def test_a_question_over_an_attached_file_is_looked_up_and_cited(
    user: Any, suite: Any, others: Any, file: str
) -> None:
    chat = await user.new_chat()
    events = await user.say(chat, "When does tin melt?", attachments=[file])
    assert kinds(events) == [
        "message",
        "step",
        "citation",
        "citation",
        "delta",
        "delta",
        "delta",
        "usage",
        "done",
    ]
    assert [event.id for event in events] == list(range(1, 10))
    assert events[1].data == {"step": 1, "attempt": 1, "kind": "retrieval", "title": "Searching documents"}
    assert [(event.data["n"], event.data["page"]) for event in events[2:4]] == [(1, 3), (2, None)]
    [search] = others.searches
    assert (search["query"], search["knowledge_base_ids"], search["file_ids"]) == (
        "When does tin melt?",
        [],
        [file],
    )
    assert (search["k"], search["rerank"]) == (5, True)
    prompt = suite.requests[-1]["messages"][-1]["content"]
    assert (
        "[1] report.pdf, page 3\nThe melting point of tin is 231.9 degrees.\n\n[2] report.pdf\nTin is soft."
        in prompt
    )
    assert "\n\nQuestion: When does tin melt?\n\n" in prompt
    question, reply = (await user.branch(chat))["data"]
    assert question["attachments"] == [
        {"file_id": file, "filename": "report.pdf", "content_type": "application/pdf", "size_bytes": 9}
    ]
    assert reply["citations"] == [event.data for event in events[2:4]]
    assert reply["steps"] == [events[1].data]
    assert question["content"] == "When does tin melt?"


async def test_files_stay_with_their_branch_newest_first(user: Any, others: Any, file: str) -> None:
    chat = await user.new_chat()
    await user.say(chat, "one", attachments=[file])
    newer = others.add_file(user, filename="newer.md")
    await user.say(chat, "two", attachments=[newer, newer])
    await user.say(chat, "three")
    assert [search["file_ids"] for search in others.searches] == [[file], *[[newer, file]] * 4]
    await user.say(chat, "another beginning", parent_id=None)
    assert len(others.searches) == 5


async def test_the_knowledge_of_the_chat_is_looked_up_until_it_is_taken_away(user: Any, others: Any) -> None:
    base = others.add_knowledge(user)
    chat = await user.new_chat(knowledge_base_ids=[base, base])
    shown = (await user.http.get(f"/api/v1/chats/{chat}")).json()
    assert shown["knowledge_base_ids"] == [base]
    await user.say(chat, "what is known")
    assert others.searches[-1]["knowledge_base_ids"] == [base]
    answer = await user.http.patch(f"/api/v1/chats/{chat}", json={"knowledge_base_ids": []})
    assert (answer.status_code, answer.json()["knowledge_base_ids"]) == (200, [])
    await user.say(chat, "and now")
    assert len(others.searches) == 1
    refused = await user.http.patch(f"/api/v1/chats/{chat}", json={"knowledge_base_ids": None})
    assert (refused.status_code, refused.json()["code"]) == (422, "patch_invalid")


async def test_without_documents_nobody_else_is_asked(user: Any, others: Any) -> None:
    events = await user.say(await user.new_chat())
    assert kinds(events) == ["message", "delta", "delta", "delta", "usage", "done"]
    assert others.asked == []


async def test_a_foreign_id_in_a_body_is_not_there_and_nothing_is_stored(
    service: Any, user: Any, others: Any
) -> None:
    stranger = service.user()
    foreign = {
        "knowledge_base_ids": [others.add_knowledge(stranger)],
        "agent_id": others.add_agent(stranger),
        "attachments": [others.add_file(stranger)],
    }
    nowhere: dict[str, Any] = {
        "knowledge_base_ids": [str(uuid4())],
        "agent_id": str(uuid4()),
        "attachments": [str(uuid4())],
    }
    chat = await user.new_chat(title="mine")
    for ids in (foreign, nowhere):
        for field, code in (
            ("knowledge_base_ids", "knowledge_base_not_found"),
            ("agent_id", "agent_not_found"),
        ):
            for method, url in (("POST", "/api/v1/chats"), ("PATCH", f"/api/v1/chats/{chat}")):
                answer = await user.http.request(method, url, json={field: ids[field]})
                assert (answer.status_code, answer.json()["code"]) == (404, code), (method, field)
                assert answer.json()["errors"][0]["field"] == f"body.{field}"
        answer = await user.http.post(
            f"/api/v1/chats/{chat}/messages", json={"content": "x", "attachments": ids["attachments"]}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")
        assert answer.json()["errors"][0]["field"] == "body.attachments"
    assert len((await user.http.get("/api/v1/chats")).json()["data"]) == 1
    shown = (await user.http.get(f"/api/v1/chats/{chat}")).json()
    assert (shown["knowledge_base_ids"], shown["agent_id"]) == ([], None)
    assert (await user.branch(chat))["data"] == []


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ("queued", "document_not_ready"),
        ("embedding", "document_not_ready"),
        ("failed", "document_failed"),
        ("cancelled", "document_failed"),
    ],
)
async def test_a_file_that_is_not_ready_is_refused_by_its_name(
    user: Any, others: Any, stage: str, code: str
) -> None:
    error = {"code": "pdf_broken", "detail": "the PDF is damaged"} if stage == "failed" else None
    file_id = others.add_file(user, filename="slow.pdf", stage=stage, error=error)
    chat = await user.new_chat()
    answer = await user.http.post(
        f"/api/v1/chats/{chat}/messages", json={"content": "x", "attachments": [file_id]}
    )
    assert (answer.status_code, answer.json()["code"], answer.json()["file_id"]) == (409, code, file_id)
    assert "slow.pdf" in answer.json()["detail"]
    assert ("the PDF is damaged" in answer.json()["detail"]) == (stage == "failed")
    assert (await user.branch(chat))["data"] == []


async def test_while_retrieval_is_away_the_reply_fails_and_regenerate_tries_again(
    user: Any, others: Any, file: str
) -> None:
    chat = await user.new_chat()
    await user.say(chat, "one", attachments=[file])
    others.retrieval_away = True
    refused = await user.http.post(
        f"/api/v1/chats/{chat}/messages", json={"content": "x", "attachments": [file]}
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "retrieval_unavailable")
    events = await user.say(chat, "two")
    assert kinds(events) == ["message", "step", "waiting", "error", "done"]
    assert events[2].data["reason"] == "service_away"
    assert (events[3].data["code"], events[3].data["status"]) == ("retrieval_unavailable", 503)
    others.retrieval_away = False
    again = await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply_id(events)}/regenerate")
    assert kinds(again)[1:4] == ["step", "citation", "citation"]
    assert again[-1].data["status"] == "complete"


async def test_a_reply_that_goes_on_keeps_its_citations_and_looks_up_nothing(
    user: Any, suite: Any, others: Any, file: str, play: Any
) -> None:
    suite.plans.append(play.says("Tin melts", until=asyncio.Event()))
    chat = await user.new_chat()
    async with user.events(
        "POST", f"/api/v1/chats/{chat}/messages", json={"content": "When?", "attachments": [file]}
    ) as events:
        seen = await play.take(events, 5)
        reply = reply_id(seen)
        await user.http.post(f"/api/v1/chats/{chat}/messages/{reply}/stop")
    gate = asyncio.Event()
    suite.plans.append(play.says(" at 231.9 [1].", until=gate))
    async with user.events("POST", f"/api/v1/chats/{chat}/messages/{reply}/continue") as events:
        await play.take(events, 2)
        late = asyncio.ensure_future(user.resume(chat, reply, 0))
        await asyncio.sleep(0.1)
        gate.set()
        rest = [event async for event in events]
    assert kinds(rest) == ["usage", "done"]
    assert len(others.searches) == 1
    sent = suite.requests[-1]["messages"]
    assert "[1] report.pdf, page 3" in sent[0]["content"]
    assert "Go on" in sent[-1]["content"]
    message = await user.message(chat, reply)
    assert message["content"] == "Tin melts at 231.9 [1]."
    assert [citation["n"] for citation in message["citations"]] == [1, 2]
    assert kinds(await late)[:4] == ["reset", "step", "citation", "citation"]
    assert play.text_of(await late) == message["content"]


async def test_passages_that_do_not_fit_the_model_are_left_out_and_not_cited(
    user: Any, suite: Any, others: Any, file: str
) -> None:
    others.passages.insert(0, {**others.passages[0], "chunk_id": str(uuid4()), "text": "tin " * 2000})
    chat = await user.new_chat(model="of-4096-tokens")
    events = await user.say(chat, "When does tin melt?", attachments=[file])
    assert cited(events) == ["The melting point of tin is 231.9 degrees.", "Tin is soft."]
    assert [event.data["n"] for event in events if event.event == "citation"] == [1, 2]
    assert "tin tin" not in suite.requests[-1]["messages"][-1]["content"]


async def test_history_gives_way_to_passages_within_the_window(
    user: Any, suite: Any, others: Any, file: str
) -> None:
    chat = await user.new_chat(model="of-4096-tokens")
    for _ in range(6):
        await user.say(chat, "word " * 300)
    others.passages = [
        {**others.passages[0], "chunk_id": str(uuid4()), "text": f"passage {n} " + "x" * 1200}
        for n in range(5)
    ]
    events = await user.say(chat, "and now?", attachments=[file])
    assert kinds(events).count("citation") == 3
    assert (
        sum(len(message["content"].encode()) for message in suite.requests[-1]["messages"])
        <= 3 * 4096 * 3 // 4
    )


async def test_a_file_that_was_deleted_since_does_not_fail_the_reply(
    user: Any, others: Any, file: str
) -> None:
    gone = others.add_file(user, filename="gone.md")
    chat = await user.new_chat()
    await user.say(chat, "one", attachments=[file, gone])
    del others.files[gone]
    events = await user.say(chat, "two")
    assert (others.searches[-1]["file_ids"], events[-1].data["status"]) == ([file], "complete")
    del others.files[file]
    events = await user.say(chat, "three")
    assert events[-1].data["status"] == "complete"
    assert "citation" not in kinds(events)


async def test_when_nothing_is_found_the_model_is_told(user: Any, suite: Any, others: Any) -> None:
    empty = others.add_file(user)
    events = await user.say(await user.new_chat(), "When does tin melt?", attachments=[empty])
    assert kinds(events)[:3] == ["message", "step", "delta"]
    assert "found nothing" in suite.requests[-1]["messages"][-1]["content"]


async def test_a_message_without_words_stands_for_its_files(
    user: Any, suite: Any, others: Any, file: str
) -> None:
    await user.say(await user.new_chat(), " ", attachments=[file])
    assert others.searches[-1]["query"] == "What do these files say: report.pdf?"
    assert (
        suite.requests[-1]["messages"][-1]["content"].count(
            "\n\nQuestion: What do these files say: report.pdf?\n\n"
        )
        == 1
    )


async def test_citations_are_replayed_from_the_journal_and_from_the_stored_reply(
    start: Any, suite: Any, others: Any, play: Any
) -> None:
    service = await start(journal_retention_s=0)
    user = service.user()
    file_id = others.add_file(user)
    others.add_passage(file_id, "Tin is soft.")
    chat = await user.new_chat()
    seen = await user.say(chat, "How is tin?", attachments=[file_id])
    reply = reply_id(seen)
    for count in range(1, len(seen)):
        rest = await user.resume(chat, reply, seen[count - 1].id)
        assert play.text_of(rest, play.text_of(seen[:count])) == "Hello there!"
        assert kinds(rest).count("citation") == kinds(seen[count:]).count("citation")
    await service.app.state.purge()
    stored = await user.resume(chat, reply)
    assert kinds(stored) == ["reset", "step", "citation", "usage", "done"]
    assert stored[2].data == seen[2].data


async def test_a_repeated_post_attaches_although_its_file_is_gone(user: Any, others: Any, file: str) -> None:
    chat = await user.new_chat()
    key = {"Idempotency-Key": str(uuid4())}
    first = await user.say(chat, "once", headers=key, attachments=[file])
    del others.files[file]
    again = await user.say(chat, "once", headers=key, attachments=[file])
    assert reply_id(again) == reply_id(first)
    assert [event.data for event in again if event.event == "citation"] == [
        event.data for event in first if event.event == "citation"
    ]


async def test_a_reply_that_rests_on_a_passage_and_cites_none_is_marked(
    user: Any, suite: Any, file: str
) -> None:
    chat = await user.new_chat()
    suite.plans.append(suite.says("The melting point of tin", " is 231.9 degrees."))
    events = await user.say(chat, "When does tin melt?", attachments=[file])
    assert kinds(events)[-4:] == ["delta", "delta", "usage", "done"]
    assert (await user.branch(chat))["data"][-1][
        "content"
    ] == "The melting point of tin is 231.9 degrees. [1]"
    suite.plans.append(suite.says("It melts at 231.9 degrees [1]."))
    events = await user.say(chat, "Again, please.")
    assert (await user.branch(chat))["data"][-1]["content"] == "It melts at 231.9 degrees [1]."


async def test_a_follow_up_is_looked_up_with_the_question_before_it(
    user: Any, suite: Any, others: Any, file: str
) -> None:
    others.add_passage(file, "A kilo of copper costs 9 euro.")
    others.add_passage(file, "A kilo of tin costs 27 euro.")
    others.found = {"When does tin melt?": others.passages[:2], "And its price?": others.passages[2:3]}
    others.found["When does tin melt? And its price?"] = [others.passages[3], others.passages[2]]
    chat = await user.new_chat()
    await user.say(chat, "When does tin melt?", attachments=[file])
    events = await user.say(chat, "And its price?")
    assert sorted(search["query"] for search in others.searches[1:]) == [
        "And its price?",
        "When does tin melt? And its price?",
    ]
    assert len({str({**search, "query": ""}) for search in others.searches}) == 1
    assert kinds(events)[:4] == ["message", "step", "citation", "citation"]
    assert cited(events) == ["A kilo of copper costs 9 euro.", "A kilo of tin costs 27 euro."]
    assert (
        "[2] report.pdf, page 1\nA kilo of tin costs 27 euro."
        in suite.requests[-1]["messages"][-1]["content"]
    )
    again = await user.collect("POST", f"/api/v1/chats/{chat}/messages/{reply_id(events)}/regenerate")
    assert cited(again) == cited(events)


async def test_another_branch_has_other_questions_before_it(user: Any, others: Any, file: str) -> None:
    chat = await user.new_chat()
    first = await user.say(chat, "When does tin melt?", attachments=[file])
    await user.say(chat, "And lead?")
    others.searches.clear()
    await user.say(chat, "And its price?", parent_id=reply_id(first))
    assert {search["query"] for search in others.searches} == {
        "And its price?",
        "When does tin melt? And its price?",
    }


@pytest.mark.parametrize("failing", ["And its price?", "When does tin melt? And its price?"])
@pytest.mark.parametrize("status", [503, 429])
async def test_when_one_search_fails_the_other_answers(
    user: Any, others: Any, file: str, failing: str, status: int
) -> None:
    chat = await user.new_chat()
    await user.say(chat, "When does tin melt?", attachments=[file])
    others.found[failing] = status
    events = await user.say(chat, "And its price?")
    assert cited(events) == [passage["text"] for passage in others.passages]
    assert events[-1].data["status"] == "complete"


async def test_when_every_search_is_refused_the_reply_says_why(user: Any, others: Any, file: str) -> None:
    chat = await user.new_chat()
    await user.say(chat, "When does tin melt?", attachments=[file])
    others.found = {"Why?": 402, "When does tin melt? Why?": 402}
    events = await user.say(chat, "Why?")
    assert kinds(events) == ["message", "step", "error", "done"]
    assert (events[2].data["code"], events[2].data["status"]) == ("refused", 402)


async def test_a_stop_ends_both_searches(user: Any, others: Any, file: str, play: Any) -> None:
    chat = await user.new_chat()
    await user.say(chat, "When does tin melt?", attachments=[file])
    others.hold_searches = asyncio.Event()
    async with user.events("POST", f"/api/v1/chats/{chat}/messages", json={"content": "Why?"}) as events:
        seen = await play.take(events, 2)
        await play.until(lambda: _held(others, 3))
        await user.http.post(f"/api/v1/chats/{chat}/messages/{reply_id(seen)}/stop")
        rest = [event async for event in events]
    assert rest[-1].data["status"] == "stopped"
    await play.until(lambda: _left(others, 2))


async def _held(others: Any, count: int) -> bool:
    return len(others.searches) == count


async def _left(others: Any, count: int) -> bool:
    return others.searches_left == count
