"""A run from its beginning to its end: what the model is sent, what readers see, what is recorded."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


def kinds(events: list[Any]) -> list[str]:
    return [event.event for event in events]


async def test_a_plain_answer_is_streamed_stored_and_counted(person: Any, others: Any) -> None:
    run, events = await person.run()
    assert (events[0].event, events[0].data) == ("step", {"step": 1, "attempt": 1, "kind": "model", "title": "Assistant thinks"})
    assert kinds(events)[-2:] == ["usage", "done"]
    assert "".join(event.data["text"] for event in events if event.event == "delta") == "Hello there!"
    assert (run["status"], run["output"], run["input"], run["last_event_id"]) == ("complete", "Hello there!", "hi", len(events))
    assert run["usage"] == events[-2].data == {"prompt_tokens": 10, "completion_tokens": 5, "cost_nano": 100, "remaining_nano": 9_000}
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
    assert asked["tool_calls"] == [{"id": call_id, "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}]
    assert given == {"role": "tool", "tool_call_id": call_id, "content": "3"}
    steps = [(step["step"], step["kind"], step["name"], step["status"]) for step in run["steps"]]
    assert steps == [(1, "model", run["model"], "done"), (2, "tool", "add", "done"), (3, "model", run["model"], "done")]
    assert run["usage"]["cost_nano"] == 200
    assert all(step["dispatch_id"] for step in run["steps"] if step["kind"] == "model")
