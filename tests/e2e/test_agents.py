"""Agents through port 8000: tools, limits, approval, code, and a chat that relays a run."""

import base64
import json

import pytest
from shared.contracts.agents import ASSISTANT_AGENT_ID
from suite.documents import agent, handbook
from suite.people import Person
from suite.stack import Ledger, Stack
from suite.waiting import until

pytestmark = pytest.mark.e2e

MULTIPLY = '!call=calculator !args={"expression":"37*91"}'


def run(person: Person, agent_id: str, text: str, **members: object) -> dict[str, object]:
    """A run to its end."""
    answer = person.http.post(
        f"/api/v1/agents/{agent_id}/runs",
        json={"input": text, "model": "fake-echo", **members},
        headers={"accept": "application/json"},
    )
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_run_calls_its_tool_and_answers_with_the_result(person: Person) -> None:
    done = run(person, agent(person, tools=["calculator"]), MULTIPLY)
    assert done["status"] == "complete", done
    assert "3367" in str(done["output"])
    steps = done["steps"]
    assert isinstance(steps, list)
    assert [step["kind"] for step in steps] == ["model", "tool", "model"]
    assert steps[1]["arguments"] == {"expression": "37*91"}


def test_a_run_costs_what_its_steps_cost_in_the_ledger(person: Person, ledger: Ledger) -> None:
    done = run(
        person, agent(person, tools=["calculator"]), '!call=calculator !args={"expression":"{n}+1"} !rounds=3'
    )
    assert done["status"] == "complete", done
    usage, steps = done["usage"], done["steps"]
    assert isinstance(usage, dict)
    assert isinstance(steps, list)
    dispatches = [step["dispatch_id"] for step in steps if step["kind"] == "model"]
    assert len(dispatches) == 4
    assert (
        usage["cost_nano"] == sum(step["usage"]["cost_nano"] for step in steps if step["kind"] == "model") > 0
    )
    assert person.usage_settles_at(usage["cost_nano"])["cost_nano"] == usage["cost_nano"]


def test_wrong_arguments_and_unknown_tools_are_told_to_the_model(person: Person) -> None:
    agent_id = agent(person, tools=["calculator"])
    wrong = run(person, agent_id, '!call=calculator !args={"sum":"1"}')
    assert wrong["status"] == "complete"
    assert "expression" in str(wrong["output"])
    unknown = run(person, agent_id, "!call=launch_rocket !args={}")
    assert "launch_rocket" in str(unknown["output"])


def test_a_loop_ends_at_its_limit(person: Person) -> None:
    agent_id = agent(person, tools=["calculator"], limits={"steps_max": 3})
    done = run(person, agent_id, '!call=calculator !args={"expression":"{n}+1"} !rounds=50')
    assert len([step for step in done["steps"] if step["kind"] == "model"]) <= 3  # type: ignore[attr-defined]


def test_a_call_that_needs_approval_waits_for_it(person: Person) -> None:
    body = {"name": "Careful", "tools": [{"name": "calculator", "approval": "always"}]}
    agent_id = person.http.post("/api/v1/agents", json=body).json()["id"]
    chat = person.chat("fake-echo")
    assert person.http.patch(chat.path, json={"agent_id": agent_id}).status_code == 200
    for decision, said in (("approve", "3367"), ("deny", "")):
        with chat.begin(MULTIPLY) as reply:
            reply_id = reply.reply_id
            while reply.until("tool", 1).data["status"] != "awaiting_approval":
                reply.next()
            call_id = reply.seen[-1].data["call_id"]
            answer = person.http.post(
                f"/api/v1/agents/runs/{reply_id}/approvals/{call_id}", json={"decision": decision}
            )
            assert answer.status_code in {200, 204}, answer.text
            reply.rest()
        message = chat.ended(reply_id)
        assert message["status"] == "complete"
        assert said in message["content"]
        (tool,) = (step for step in message["steps"] if "call_id" in step)
        assert tool["status"] == ("done" if decision == "approve" else "denied")


def test_a_chat_relays_a_run_and_can_be_read_again_from_any_event(person: Person) -> None:
    chat = person.chat("fake-echo")
    agent_id = agent(person, tools=["calculator"])
    assert person.http.patch(chat.path, json={"agent_id": agent_id}).status_code == 200
    turn = chat.post(MULTIPLY)
    assert turn.status == "complete"
    assert [event.data["status"] for event in turn.named("tool")][-1] == "done"
    assert "3367" in turn.text
    message = chat.message(turn.reply_id)
    assert message["content"] == turn.text
    assert message["usage"]["cost_nano"] == turn.usage["cost_nano"] > 0
    assert person.get(f"/api/v1/agents/runs/{turn.reply_id}")["status"] == "complete"
    for event in (turn.events[2], turn.events[-2]):
        rest = chat.resumed(turn.reply_id, event.id)
        assert [found.id for found in rest][-1] == turn.ids[-1]
        assert all(found.id > event.id for found in rest)


def test_stop_ends_the_run_behind_the_reply(person: Person) -> None:
    chat = person.chat("fake-slow")
    assert (
        person.http.patch(chat.path, json={"agent_id": agent(person, tools=["calculator"])}).status_code
        == 200
    )
    with chat.begin("a long story !tokens=400 !delay_ms=50") as reply:
        reply.until("delta", 2)
        reply_id = reply.reply_id
        assert chat.stop(reply_id).status_code == 200
    message = chat.ended(reply_id)
    assert message["status"] == "stopped"
    assert until(
        lambda: person.get(f"/api/v1/agents/runs/{reply_id}")["status"] == "stopped",
        within_s=10,
        what="the run to stop",
    )


def test_the_search_tool_cites_what_it_found(person: Person) -> None:
    document = handbook(person)
    done = run(
        person,
        agent(person, tools=["search_documents"]),
        '!call=search_documents !args={"query":"keeper"}',
        file_ids=[document["document_id"]],
    )
    assert done["status"] == "complete", done
    citations = done["citations"]
    assert isinstance(citations, list)
    assert any("Brandvik" in citation["text"] for citation in citations)


def test_code_runs_and_its_plot_can_be_read(person: Person, stranger: Person) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4])\nprint('plotted')"
    arguments = json.dumps({"code": code}, separators=(",", ":")).replace(" ", "\\u0020")
    done = run(person, agent(person, tools=["python"]), f"!call=python !args={arguments}")
    assert done["status"] == "complete", done
    (step,) = (each for each in done["steps"] if each["kind"] == "tool")  # type: ignore[attr-defined]
    assert "plotted" in step["result"]
    (plot,) = step["files"]
    answer = person.http.get(plot["url"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert stranger.http.get(plot["url"]).status_code == 404


def test_code_can_be_run_directly(person: Person) -> None:
    files = [{"name": "data.csv", "content_base64": base64.b64encode(b"a,b\n1,2\n3,4\n").decode()}]
    body = {
        "language": "python",
        "code": "import pandas as pd\nint(pd.read_csv('data.csv')['b'].sum())",
        "files": files,
        "timeout_s": 60,
    }
    answer = person.http.post("/api/v1/agents/code/execute", json=body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["result"]) == ("ok", "6"), answer.text


def test_code_reaches_neither_the_host_nor_the_network(person: Person) -> None:
    tries = (
        "open('/etc/passwd').read()",
        "import socket; socket.create_connection(('127.0.0.1', 8000))",
        "import os; os.fork()",
    )
    for code in tries:
        answer = person.http.post("/api/v1/agents/code/execute", json={"code": code}).json()
        assert answer["status"] != "ok", (code, answer)
        assert "root:" not in answer["stdout"] + answer["stderr"] + str(answer["result"])


def test_the_built_in_model_uses_the_calculator(stack: Stack, person: Person) -> None:
    stack.wait_model()
    chat = person.chat(stack.model_id)
    assert (
        person.http.patch(chat.path, json={"agent_id": agent(person, tools=["calculator"])}).status_code
        == 200
    )
    turn = chat.post("What is 37 * 91? Use the calculator.")
    assert turn.status == "complete", turn.named("error")
    (call,) = {event.data["call_id"]: event.data for event in turn.named("tool")}.values()
    assert call["name"] == "calculator"
    assert "3367" in call["result"].replace(",", "")
    assert "3367" in turn.text.replace(",", "")


def test_the_assistant_is_there_for_everybody_and_cannot_be_changed(person: Person) -> None:
    path = f"/api/v1/agents/{ASSISTANT_AGENT_ID}"
    assistant = person.get(path)
    assert assistant["built_in"]
    assert {tool["name"] for tool in assistant["tools"]} == {
        "calculator",
        "datetime",
        "search_documents",
        "python",
    }
    assert person.http.patch(path, json={"name": "mine"}).status_code in {403, 404, 409}
    assert person.http.delete(path).status_code in {403, 404, 409}


def test_anothers_agent_cannot_be_borrowed(person: Person, stranger: Person) -> None:
    agent_id = agent(person, tools=["calculator"], instructions="private words")
    chat = stranger.chat("fake-echo")
    refused = [
        stranger.http.patch(chat.path, json={"agent_id": agent_id}),
        stranger.http.post("/api/v1/chats", json={"agent_id": agent_id}),
        stranger.http.post(f"/api/v1/agents/{agent_id}/runs", json={"input": "hello", "model": "fake-echo"}),
    ]
    assert [answer.status_code for answer in refused] == [404] * 3
    assert "private words" not in stranger.http.get("/api/v1/agents").text
