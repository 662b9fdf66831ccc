"""Why an answer ended, what was thought and what the model did not see; what a provider wants back with the
next step.
"""

import asyncio
from typing import Any

import pytest
from agent_service.records import step_repository
from shared.ids import uuid7
from sqlalchemy import text

pytestmark = pytest.mark.asyncio(loop_scope="module")


def chunks(*deltas: dict[str, Any], reason: str = "stop") -> Any:
    """A plan that sends these deltas as they are."""

    async def play(others: Any, dispatch: Any) -> None:
        await dispatch.begin()
        for delta in deltas:
            await dispatch.chunk({"choices": [{"delta": delta}]})
        others.charges[dispatch.id] = 100
        await dispatch.end(reason)

    return play


def call(name: str, arguments: str, call_id: str, **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


SIGNATURE = {"google": {"thought_signature": "c2lnbmVk"}}


async def test_what_was_thought_and_signed_goes_back_with_the_calls(
    person: Any, others: Any, play: Any
) -> None:
    signed = call("add", '{"a": 1, "b": 2}', "one", index=0, extra_content=SIGNATURE)
    others.plans += [
        chunks(
            {"reasoning_content": "I add "},
            {"reasoning_content": "them."},
            {"tool_calls": [signed]},
            reason="tool_calls",
        ),
        play.calls(("add", {"a": 3, "b": 4})),
        play.says("Ten."),
    ]
    run, events = await person.run(await person.new_agent("add"))
    assert (run["status"], run["output"], run["reasoning"]) == ("complete", "Ten.", "I add them.")
    for request in others.requests[1:]:
        asked = next(message for message in request["messages"] if message["role"] == "assistant")
        assert asked["reasoning_content"] == "I add them."
        assert asked["tool_calls"] == [
            {
                "id": "one",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'},
                "extra_content": SIGNATURE,
            }
        ]
    second = [message for message in others.requests[2]["messages"] if message["role"] == "assistant"][1]
    assert "reasoning_content" not in second
    assert "extra_content" not in second["tool_calls"][0]
    assert "".join(event.data["text"] for event in events if event.event == "reasoning") == "I add them."


@pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["the same index", "no index"])
async def test_two_parallel_calls_stay_two(
    person: Any, others: Any, play: Any, index: dict[str, int]
) -> None:
    first, second = (
        call("add", '{"a": 1, "b": 1}', "one", **index),
        call("add", '{"a": 2, "b": 2}', "two", **index),
    )
    others.plans += [
        chunks({"tool_calls": [first]}, {"tool_calls": [second]}, reason="tool_calls"),
        play.says("Done."),
    ]
    run, _ = await person.run(await person.new_agent("add"))
    assert [step["result"] for step in run["steps"] if step["kind"] == "tool"] == ["2", "4"]
    sent = others.requests[1]["messages"]
    assert [made["id"] for made in next(m for m in sent if m["role"] == "assistant")["tool_calls"]] == [
        "one",
        "two",
    ]
    assert [message["tool_call_id"] for message in sent if message["role"] == "tool"] == ["one", "two"]


@pytest.mark.parametrize(
    ("plan", "reason", "output"),
    [
        (chunks({"content": "Half an"}, reason="length"), "length", "Half an"),
        (chunks({"content": "I was"}, reason="content_filter"), "content_filter", "I was"),
        (chunks({"refusal": "I will "}, {"refusal": "not."}), "refusal", "I will not."),
        (chunks({"reasoning_content": "Hmm."}), "reasoning_only", ""),
        (chunks({"content": "<think>Hm"}, {"content": "m.</think>Yes."}), "stop", "Yes."),
        (
            chunks({"content": [{"type": "text", "text": "In "}, {"type": "text", "text": "parts."}]}),
            "stop",
            "In parts.",
        ),
    ],
    ids=["length", "content filter", "refusal", "reasoning only", "think", "parts"],
)
async def test_why_an_answer_ended_is_stored_and_told(
    person: Any, others: Any, play: Any, plan: Any, reason: str, output: str
) -> None:
    others.plans += [plan]
    run, events = await person.run(await person.new_agent())
    assert (run["status"], run["finish_reason"], run["output"]) == ("complete", reason, output)
    assert play.text_of(events) == output
    assert events[-1].data == {"status": "complete", "finish_reason": reason}
    thought = "".join(event.data["text"] for event in events if event.event == "reasoning")
    assert run["reasoning"] == thought
    assert thought == ("Hmm." if reason == "reasoning_only" or output == "Yes." else "")


async def test_what_the_model_does_not_see_is_told_once_and_stored(
    person: Any, others: Any, play: Any
) -> None:
    others.plans += [play.calls(("add", {"a": 1, "b": 1})), play.says("2")]
    said = [{"role": role, "content": "x" * 3000} for role in ("user", "assistant")] + [
        {"role": "user", "content": "now"}
    ]
    run, events = await person.run(await person.new_agent("add", model="tiny"), input=said)
    told = [event.data for event in events if event.event == "left_out"]
    assert told == [run["left_out"]] == [{"messages": 2, "passages": 0, "window_tokens": 1200}]
    assert [
        message["content"] for message in others.requests[0]["messages"] if message["role"] == "user"
    ] == ["now"]
    whole, events = await person.run(await person.new_agent("add", model="tiny"))
    assert whole["left_out"] is None
    assert not any(event.event == "left_out" for event in events)


AWAY = {"error": {"message": "billing does not answer", "code": "billing_unavailable"}}


async def test_a_service_that_is_away_before_the_dispatch_is_waited_for(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    service.app.state.settings.provider_connect_wait_max_s, before = (
        15,
        service.app.state.settings.provider_connect_wait_max_s,
    )
    try:
        others.plans += [
            play.refuses(503, AWAY),
            play.refuses(503, {"error": {"message": "x", "code": "database_down"}}),
        ]
        run, events = await person.run()
    finally:
        service.app.state.settings.provider_connect_wait_max_s = before
    assert [event.data for event in events if event.event == "waiting"] == [
        {"reason": "service_away", "progress": None}
    ]
    assert (run["status"], run["output"], len(others.requests)) == ("complete", "Hello there!", 3)
    assert [event.data["attempt"] for event in events if event.event == "step"] == [1]


async def test_a_service_that_stays_away_fails_the_run_and_says_so(
    person: Any, others: Any, play: Any
) -> None:
    others.default = play.refuses(503, AWAY)
    run, events = await person.run()
    assert (run["status"], run["error"]["code"], run["error"]["status"]) == ("failed", "service_away", 503)
    assert "nothing was sent" in run["error"]["detail"]
    assert [event.event for event in events][-2:] == ["error", "done"]


async def test_an_answer_that_breaks_before_it_began_is_asked_for_again(
    person: Any, others: Any, play: Any
) -> None:
    async def hangs_up(_others: Any, dispatch: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await dispatch.send({"type": "http.response.start", "status": 503, "headers": headers})
        await dispatch.send({"type": "http.response.body", "body": b"{"})

    others.plans += [hangs_up]
    run, _ = await person.run()
    assert (run["status"], run["output"]) == ("complete", "Hello there!")


@pytest.mark.parametrize("note", ["before the call", "told by inference"])
async def test_an_outage_while_a_dispatch_is_noted_pays_for_no_second_one(
    person: Any, others: Any, play: Any, monkeypatch: pytest.MonkeyPatch, note: str
) -> None:
    change, told, failures = step_repository.change, str(uuid7()), 1

    async def away_once(session: Any, key: Any, values: Any) -> None:
        nonlocal failures
        if (
            set(values) == {"dispatch_id"}
            and failures
            and (values["dispatch_id"] == told) == (note == "told by inference")
        ):
            failures -= 1
            raise ConnectionError
        await change(session, key, values)

    async def under_another_id(others: Any, dispatch: Any) -> None:
        if note == "told by inference":
            dispatch.id = told
        await play.says("Hello")(others, dispatch)

    others.default = under_another_id
    monkeypatch.setattr(step_repository, "change", away_once)
    run, _ = await person.run()
    assert failures == 0
    assert (run["status"], run["output"], len(others.requests)) == ("complete", "Hello", 1)
    assert [run["steps"][-1]["dispatch_id"]] == list(others.charges)
    assert run["usage"]["cost_nano"] == 100


async def test_a_stop_before_the_answer_begins_costs_what_billing_says(
    person: Any, others: Any, play: Any
) -> None:
    asked = asyncio.Event()

    async def never_begins(others: Any, dispatch: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    others.plans += [never_begins]
    async with person.stream("a0000000-0000-4000-8000-00000000a001") as (run_id, _):
        await asyncio.wait_for(asked.wait(), 20)
        await person.http.post(f"/api/v1/agents/runs/{run_id}/cancel")
    run = await person.until_status(run_id, "stopped")
    assert (run["usage"]["cost_nano"], len(others.charges)) == (30, 1)


async def test_a_run_that_nobody_may_follow_is_not_begun(person: Any, others: Any, service: Any) -> None:
    streams = service.app.state.streams.open
    entered = 0
    try:
        for _ in range(service.app.state.settings.streams_per_user_max):
            streams.enter(person.principal)
            entered += 1
        url = "/api/v1/agents/a0000000-0000-4000-8000-00000000a001/runs"
        for accept in ("text/event-stream", "application/json"):
            answer = await person.http.post(url, json={"input": "hi"}, headers={"accept": accept})
            assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")
        assert (await person.http.get("/api/v1/agents/runs")).json()["data"] == []
        assert others.requests == []
    finally:
        for _ in range(entered):
            streams.leave(person.principal)
    answer = await person.http.post(url, json={"input": [{"role": "assistant", "content": "x"}]})
    assert answer.status_code == 422
    assert streams._open[person.principal.actor_id] == 0, "a refused start gives its place back"


async def test_deleting_a_run_removes_all_of_it(person: Any, others: Any, play: Any, service: Any) -> None:
    others.plans += [play.calls(("draw", {})), play.says("Drawn.")]
    run, _ = await person.run(await person.new_agent("draw"))
    url = f"/api/v1/agents/runs/{run['id']}"
    file = run["steps"][1]["files"][0]["url"]
    assert (await person.http.get(file)).status_code == 200
    assert (await service.person().http.delete(url)).status_code == 404
    assert (await person.http.get(file)).status_code == 200
    assert (await person.http.delete(url)).status_code == 204
    # As a stranger's: that there was one does not show.
    assert (await person.http.delete(url)).status_code == 404
    assert {(await person.http.get(path)).status_code for path in (url, file, f"{url}/events")} == {404}
    async with service.app.state.database.transaction() as session:
        for table in ("run_step", "run_event", "run_file"):
            left = await session.execute(_count(table), {"id": run["id"]})
            assert left.scalar_one() == 0, table


def _count(table: str) -> Any:
    return text(f"SELECT count(*) FROM {table} WHERE run_id = CAST(:id AS uuid)")


async def test_a_run_under_way_ends_before_it_is_deleted(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    others.plans += [play.says("one", until=asyncio.Event())]
    async with person.stream("a0000000-0000-4000-8000-00000000a001") as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        assert (await person.http.delete(f"/api/v1/agents/runs/{run_id}")).status_code == 204
    assert others.cancelled == 1
    assert (await person.http.get(f"/api/v1/agents/runs/{run_id}")).status_code == 404

    async def left() -> bool:
        return run_id not in {str(each) for each in service.app.state.runs._live.runs}

    await play.until(left)
