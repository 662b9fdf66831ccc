"""A run from its beginning to its end: what the model is sent, what readers see, what is recorded."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


def kinds(events: list[Any]) -> list[str]:
    return [event.event for event in events]


async def test_a_plain_answer_is_streamed_stored_and_counted(person: Any, others: Any) -> None:
    run, events = await person.run()
    assert (events[0].event, events[0].data) == (
        "step",
        {"step": 1, "attempt": 1, "kind": "model", "title": "Assistant thinks"},
    )
    assert kinds(events)[-2:] == ["usage", "done"]
    assert "".join(event.data["text"] for event in events if event.event == "delta") == "Hello there!"
    assert (run["status"], run["output"], run["input"], run["last_event_id"]) == (
        "complete",
        "Hello there!",
        "hi",
        len(events),
    )
    assert (
        run["usage"]
        == events[-2].data
        == {"prompt_tokens": 10, "completion_tokens": 5, "cost_nano": 100, "remaining_nano": 9_000}
    )
    assert others.requests[0]["messages"][-1] == {"role": "user", "content": "hi"}


async def test_a_tool_is_called_and_its_result_sent_back(person: Any, others: Any, play: Any) -> None:
    agent = await person.new_agent("add", instructions="Be exact.")
    others.plans += [play.calls(("add", {"a": 1, "b": 2}), text="Let me see."), play.says("It is 3.")]
    run, events = await person.run(agent)
    assert (run["status"], run["output"]) == ("complete", "Let me see.\n\nIt is 3.")
    assert play.text_of(events) == run["output"]
    tools = [event.data for event in events if event.event == "tool"]
    assert [(tool["status"], tool["result"], tool["arguments"]) for tool in tools] == [
        ("running", None, {"a": 1, "b": 2}),
        ("done", "3", {"a": 1, "b": 2}),
    ]
    first, second = others.requests
    assert first["messages"][0]["content"].startswith("Be exact.")
    assert first["tools"][0]["function"]["name"] == "add"
    asked, given = second["messages"][-2:]
    call_id = tools[0]["call_id"]
    assert asked["tool_calls"] == [
        {"id": call_id, "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    ]
    assert given == {"role": "tool", "tool_call_id": call_id, "content": "3"}
    steps = [(step["step"], step["kind"], step["name"], step["status"]) for step in run["steps"]]
    assert steps == [
        (1, "model", run["model"], "done"),
        (2, "tool", "add", "done"),
        (3, "model", run["model"], "done"),
    ]
    assert run["usage"]["cost_nano"] == 200
    assert all(step["dispatch_id"] for step in run["steps"] if step["kind"] == "model")


async def test_a_request_without_event_stream_gets_the_finished_run(person: Any, others: Any) -> None:
    agent = await person.new_agent()
    answer = await person.http.post(f"/api/v1/agents/{agent}/runs", json={"input": "hi", "temperature": 0.5})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["output"]) == ("complete", "Hello there!")
    assert answer.headers["x-atrium-run-id"] == answer.json()["id"]
    assert others.requests[0]["temperature"] == 0.5
    assert "tools" not in others.requests[0]


async def test_a_conversation_goes_to_the_model_in_turns(person: Any, others: Any) -> None:
    said = [("user", "a"), ("user", "b"), ("assistant", "c"), ("assistant", ""), ("user", "d\x00e")]
    run, _ = await person.run(
        await person.new_agent(), input=[{"role": role, "content": text} for role, text in said]
    )
    assert [(message["role"], message["content"]) for message in others.requests[0]["messages"]] == [
        ("user", "a\n\nb"),
        ("assistant", "c"),
        ("user", "de"),
    ]
    assert run["input"] == "de"


@pytest.mark.parametrize(
    "given",
    [
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        " \x00 ",
        [],
        "",
        [{"role": "system", "content": "x"}],
    ],
    ids=["ends with a reply", "blank", "no messages", "empty", "a role of its own"],
)
async def test_an_input_without_anything_to_answer_is_refused(person: Any, others: Any, given: Any) -> None:
    answer = await person.http.post(f"/api/v1/agents/{await person.new_agent()}/runs", json={"input": given})
    assert answer.status_code == 422
    assert "input" in answer.json()["detail"]
    assert others.requests == []


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (("add", {"a": 1}), "'b' is a required property"),
        (("add", "{broken"), "not valid JSON"),
        (("launch", {}), "There is no tool named 'launch'. Tools: add"),
        (("slow", {}), "There is no tool named 'slow'"),
    ],
    ids=["against the schema", "no json", "unknown", "not given to the agent"],
)
async def test_a_wrong_call_is_explained_to_the_model(
    person: Any, others: Any, play: Any, call: Any, complaint: str
) -> None:
    others.plans += [play.calls(call), play.says("Sorry.")]
    run, events = await person.run(await person.new_agent("add"))
    assert (run["status"], run["steps"][1]["status"]) == ("complete", "failed")
    assert complaint in others.requests[1]["messages"][-1]["content"]
    json.loads(others.requests[1]["messages"][-2]["tool_calls"][0]["function"]["arguments"])
    assert complaint in next(
        event.data["result"] for event in events if event.event == "tool" and event.data["status"] == "failed"
    )


@pytest.mark.parametrize(
    ("tool", "result"),
    [
        ("boom", "The tool failed unexpectedly."),
        ("refuse", "there is no such thing"),
        ("hasty", "The tool gave no result within 0.05 s."),
    ],
)
async def test_a_tool_that_fails_does_not_end_the_run(
    person: Any, others: Any, play: Any, tool: str, result: str
) -> None:
    others.plans += [play.calls((tool, {})), play.says("It failed.")]
    run, _ = await person.run(await person.new_agent(tool))
    assert (run["status"], run["output"], run["steps"][1]["result"]) == ("complete", "It failed.", result)


async def test_a_long_result_is_shortened_and_cleaned(person: Any, others: Any, play: Any) -> None:
    others.plans += [play.calls(("long", {}))]
    run, _ = await person.run(await person.new_agent("long"))
    assert len(run["steps"][1]["result"]) <= 16_000
    assert run["steps"][1]["result"].endswith("x\n[shortened]")


async def test_several_calls_of_one_step_are_made_in_order_and_no_more_than_allowed(
    person: Any, others: Any, play: Any
) -> None:
    made = [("add", {"a": number, "b": 0}) for number in range(10)]
    others.plans += [
        play.calls(*made, ids=("same",) * 10),
        play.calls(("add", {"a": 50, "b": 0}), ids=("same",)),
    ]
    run, _ = await person.run(await person.new_agent("add"))
    results = [step["result"] for step in run["steps"] if step["kind"] == "tool"]
    assert results == [*map(str, range(8)), "50"]
    ids = [step["call_id"] for step in run["steps"] if step["kind"] == "tool"]
    assert len(set(ids)) == 9
    sent = others.requests[-1]["messages"]
    assert [message["tool_call_id"] for message in sent if message["role"] == "tool"] == ids


async def test_a_call_written_out_as_text_is_made_and_not_shown(person: Any, others: Any, play: Any) -> None:
    others.plans += [play.says('{"name": "add", ', '"arguments": {"a": 4, "b": 4}}'), play.says("{8}")]
    run, events = await person.run(await person.new_agent("add"))
    assert (run["output"], run["steps"][1]["result"]) == ("{8}", "8")
    assert play.text_of(events) == "{8}"


async def test_the_last_step_offers_no_tools_so_that_the_model_answers(
    person: Any, others: Any, play: Any
) -> None:
    others.plans += [play.calls(("add", {"a": 1, "b": 1})), play.says("2")]
    run, _ = await person.run(await person.new_agent("add", limits={"steps_max": 2}))
    assert ["tools" in request for request in others.requests] == [True, False]
    assert (run["status"], run["output"]) == ("complete", "2")


def _limited(play: Any) -> dict[str, Any]:
    call = ("add", {"a": 1, "b": 1})
    other = ("add", {"a": 2, "b": 2})
    return {
        "steps": ({"steps_max": 1}, [play.calls(call, text="Wait.")], "steps_exhausted", 1),
        "tokens": (
            {"tokens_max": 20},
            [play.calls(call, text="Wait."), play.calls(other)],
            "tokens_exhausted",
            2,
        ),
        "cost": ({"cost_nano_max": 100}, [play.calls(call, text="Wait.")], "cost_exhausted", 1),
        "cut answer": ({"tokens_max": 15}, [play.says("Wait.", reason="length")], "tokens_exhausted", 1),
        "repetition": (
            {},
            [play.calls(call, text="Wait."), play.calls(call), play.calls(call)],
            "tool_loop",
            3,
        ),
        "duration": (
            {"duration_s_max": 1},
            [play.calls(("slow", {"seconds": 9}), text="Wait.")],
            "run_too_long",
            1,
        ),
    }


@pytest.mark.parametrize("limit", ["steps", "tokens", "cost", "cut answer", "repetition", "duration"])
async def test_a_limit_ends_the_run_with_its_reason_and_keeps_the_text(
    person: Any, others: Any, play: Any, limit: str
) -> None:
    limits, plans, code, dispatches = _limited(play)[limit]
    others.plans += plans
    run, events = await person.run(await person.new_agent("add", "slow", limits=limits))
    assert (run["status"], run["error"]["code"], run["output"]) == ("failed", code, "Wait.")
    assert kinds(events)[-3:] == ["usage", "error", "done"]
    assert (events[-2].data["code"], events[-1].data["status"]) == (code, "failed")
    assert len(others.requests) == dispatches


async def test_the_rest_of_the_tokens_bounds_the_answer(person: Any, others: Any) -> None:
    await person.run(await person.new_agent(limits={"tokens_max": 77}))
    await person.run(await person.new_agent())
    assert [request.get("max_tokens") for request in others.requests] == [77, None]


async def test_limits_of_a_run_only_tighten_those_of_its_agent(person: Any, others: Any, play: Any) -> None:
    others.default = play.calls(("add", {"a": 1, "b": 1}))
    agent = await person.new_agent("add", limits={"steps_max": 2, "tokens_max": 1000})
    run, _ = await person.run(agent, limits={"steps_max": 50})
    assert len(others.requests) == 2
    run, _ = await person.run(agent, limits={"steps_max": 1})
    assert len(others.requests) == 3
    assert run["error"]["code"] == "steps_exhausted"


async def test_a_refusal_fails_the_run_with_all_it_says(person: Any, others: Any, play: Any) -> None:
    refusal = {
        "error": {
            "message": "the budget is used up",
            "code": "budget_exceeded",
            "limit": "team",
            "resets_at": "2026-12-01",
        }
    }
    others.plans += [play.refuses(402, refusal)]
    run, events = await person.run()
    assert run["status"] == "failed"
    assert (run["error"]["code"], run["error"]["status"], run["error"]["extra"]["limit"]) == (
        "budget_exceeded",
        402,
        "team",
    )
    assert events[-2].data == {
        "code": "budget_exceeded",
        "detail": "the budget is used up",
        "status": 402,
        "limit": "team",
        "resets_at": "2026-12-01",
    }


async def test_a_model_that_loads_is_waited_for(person: Any, others: Any, play: Any) -> None:
    loading = {
        "error": {
            "message": "loading",
            "code": "model_loading",
            "progress": {"downloaded_bytes": 5, "total_bytes": 9},
        }
    }
    others.plans += [play.refuses(503, loading), play.refuses(503, loading)]
    run, events = await person.run()
    waiting = [event.data for event in events if event.event == "waiting"]
    assert waiting == [{"reason": "model_loading", "progress": {"downloaded_bytes": 5, "total_bytes": 9}}]
    assert (run["status"], run["output"], len(others.requests)) == ("complete", "Hello there!", 3)


async def test_a_broken_connection_begins_the_step_again_and_both_attempts_are_paid(
    person: Any, others: Any, play: Any
) -> None:
    others.plans += [play.breaks_after("Hel"), play.says("Hello")]
    run, events = await person.run()
    assert [(event.data["step"], event.data["attempt"]) for event in events if event.event == "step"] == [
        (1, 1),
        (1, 2),
    ]
    assert (run["output"], play.text_of(events)) == ("Hello", "Hello")
    await person.until_cost(run["id"], 140)


async def test_a_connection_that_always_breaks_fails_the_run(person: Any, others: Any, play: Any) -> None:
    others.default = play.breaks_after("Hel")
    run, _ = await person.run()
    assert (run["error"]["code"], run["output"], len(others.requests)) == ("model_disconnected", "Hel", 3)


async def test_reasoning_is_shown_and_no_part_of_the_answer(person: Any, others: Any) -> None:
    async def thinks(_others: Any, dispatch: Any) -> None:
        await dispatch.begin()
        await dispatch.text("hmm", reasoning=True)
        await dispatch.text("Yes.")
        await dispatch.end()

    others.plans.append(thinks)
    run, events = await person.run()
    assert [event.data["text"] for event in events if event.event == "reasoning"] == ["hmm"]
    assert run["output"] == "Yes."


async def test_an_unknown_cost_is_asked_of_billing_until_it_is_known(
    person: Any, others: Any, play: Any
) -> None:
    others.charges_known = False
    others.plans += [
        play.says(
            "Hi",
            usage={"prompt_tokens": 10, "completion_tokens": 5, "cost_nano": None, "remaining_nano": None},
        )
    ]
    run, events = await person.run()
    assert run["usage"]["cost_nano"] is None
    assert next(event.data["cost_nano"] for event in events if event.event == "usage") is None
    others.charges_known = True
    await person.until_cost(run["id"], 100)
    assert (await person.get(run["id"]))["usage"]["completion_tokens"] == 5


async def test_results_that_do_not_fit_the_model_are_shortened_for_it(
    person: Any, others: Any, play: Any
) -> None:
    others.plans += [play.calls(("long", {}))]
    long_ago = [
        {"role": "user", "content": "x" * 4000},
        {"role": "assistant", "content": "y"},
        {"role": "user", "content": "now"},
    ]
    await person.run(await person.new_agent("long", model="tiny"), input=long_ago)
    sent = others.requests[-1]["messages"]
    assert len(json.dumps(sent)) < 1200 * 3
    assert [message["role"] for message in sent][-3:] == ["user", "assistant", "tool"]
    assert sent[-1]["content"].endswith("[shortened]")
    assert sent[-3]["content"] == "now"
