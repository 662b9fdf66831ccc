"""What people do with runs: follow, stop, approve, look up, fetch files; and what is not theirs."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from identities import make_principal
from shared.contracts.agents import ASSISTANT_AGENT_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def approval_of(person: Any, agent: str, play: Any) -> tuple[str, str]:
    """A run whose call waits for a word: its id and that of the call."""
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            if event.event == "tool":
                return run_id, event.data["call_id"]
    raise AssertionError("nothing was asked")


async def decide(person: Any, run_id: str, call_id: str, decision: str) -> httpx.Response:
    return await person.http.post(
        f"/api/v1/agents/runs/{run_id}/approvals/{call_id}", json={"decision": decision}
    )


async def test_an_approved_call_is_made(person: Any, others: Any, play: Any) -> None:
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 1, "b": 1})), play.says("Two.")]
    run_id, call_id = await approval_of(person, agent, play)
    run = await person.get(run_id)
    assert (run["status"], run["steps"][-1]["status"], run["steps"][-1]["arguments"]) == (
        "awaiting_approval",
        "awaiting_approval",
        {"a": 1, "b": 1},
    )
    assert (await decide(person, run_id, call_id, "approve")).status_code == 200
    assert (await decide(person, run_id, call_id, "approve")).status_code == 200
    other = await decide(person, run_id, call_id, "deny")
    assert (other.status_code, other.json()["code"]) == (409, "decided_already")
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["output"], run["steps"][1]["result"]) == ("Two.", "2")
    statuses = [event.data["status"] for event in await person.events(run_id) if event.event == "tool"]
    assert statuses == ["awaiting_approval", "running", "done"]


async def test_an_agent_cannot_lower_what_a_tool_demands_and_its_user_decides(
    service: Any, others: Any, play: Any
) -> None:
    owner, user = service.person(), service.person()
    agent = await owner.new_agent("guarded", access="organisation")
    others.plans += [play.calls(("guarded", {})), play.says("Done.")]
    run_id, call_id = await approval_of(user, agent, play)
    assert (await decide(owner, run_id, call_id, "approve")).status_code == 404
    assert (await user.get(run_id))["status"] == "awaiting_approval"
    assert (await decide(user, run_id, call_id, "approve")).status_code == 200
    run = await user.until_status(run_id, "complete", "failed")
    assert (run["status"], run["steps"][1]["status"]) == ("complete", "done")


async def test_a_denied_call_is_not_made_and_the_model_is_told(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    agent = await person.new_agent("slow", approval=("slow",))
    others.plans += [play.calls(("slow", {})), play.says("Then not.")]
    run_id, call_id = await approval_of(person, agent, play)
    await decide(person, run_id, call_id, "deny")
    run = await person.until_status(run_id, "complete", "failed")
    assert (run["output"], run["steps"][1]["status"]) == ("Then not.", "denied")
    assert "did not allow" in others.requests[-1]["messages"][-1]["content"]
    assert service.log.read_text() == ""
    call = (await person.http.get(f"/api/v1/agents/runs/{run_id}/approvals/{call_id}")).json()
    assert call["status"] == "denied"


async def test_only_waiting_calls_of_ones_own_runs_can_be_decided_about(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 1, "b": 1}))]
    run_id, call_id = await approval_of(person, agent, play)
    stranger = service.person()
    assert (await decide(stranger, run_id, call_id, "approve")).status_code == 404
    assert (await decide(person, run_id, "nothing", "approve")).json()["code"] == "call_not_found"
    assert (await decide(person, run_id, call_id, "perhaps")).status_code == 422
    assert (await person.get(run_id))["status"] == "awaiting_approval"
    await person.http.post(f"/api/v1/agents/runs/{run_id}/cancel")
    assert (await decide(person, run_id, call_id, "approve")).json()["code"] == "nothing_to_decide"


async def cancel(person: Any, run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        return (await person.http.post(f"/api/v1/agents/runs/{run_id}/cancel")).raise_for_status().json()


async def test_cancelling_while_the_model_writes_keeps_the_text_and_counts_the_cost(
    person: Any, others: Any, play: Any
) -> None:
    others.plans += [play.says("one", " two", until=asyncio.Event())]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        seen = []
        async for event in events:
            seen.append(event)
            if event.event == "delta" and play.text_of(seen) == "one two":
                asyncio.get_running_loop().create_task(cancel(person, run_id))
    assert seen[-1].data == {"status": "stopped", "finish_reason": None}
    run = await person.get(run_id)
    assert (run["status"], run["output"], run["error"]) == ("stopped", "one two", None)
    assert others.cancelled == 1
    await person.until_cost(run_id, 30)
    assert (await cancel(person, run_id))["status"] == "stopped"


async def test_cancelling_while_a_tool_works_ends_it(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    agent = await person.new_agent("slow")
    others.plans += [play.calls(("slow", {"seconds": 15}))]
    async with person.stream(agent) as (run_id, events):
        async for event in events:
            if event.event == "tool" and event.data["status"] == "running":
                run = await cancel(person, run_id)
    assert (run["status"], run["steps"][-1]["status"]) == ("stopped", "failed")
    assert "end" not in service.log.read_text()


async def test_cancelling_while_a_call_waits_for_a_word_ends_the_run(
    person: Any, others: Any, play: Any
) -> None:
    agent = await person.new_agent("add", approval=("add",))
    others.plans += [play.calls(("add", {"a": 1, "b": 1}))]
    run_id, _ = await approval_of(person, agent, play)
    assert (await cancel(person, run_id))["status"] == "stopped"


async def test_a_reader_resumes_from_any_event(person: Any, others: Any, play: Any) -> None:
    others.plans += [play.says(*[f"{number} " for number in range(30)], gap_s=0.01)]
    run, events = await person.run()
    for after in (0, 1, len(events) // 2, len(events) - 1):
        assert await person.events(run["id"], after) == events[after:]
    assert await person.events(run["id"], headers={"last-event-id": "2"}) == events[2:]
    assert await person.events(run["id"], len(events)) == events[-1:], (
        "a reader that has it all is told the end again"
    )
    assert await person.events(run["id"], headers={"last-event-id": "nonsense"}) == events


async def test_followers_see_a_run_while_it_is_written(person: Any, others: Any, play: Any) -> None:
    more = asyncio.Event()
    others.plans += [play.says("first", until=more)]
    async with person.stream(str(ASSISTANT_AGENT_ID)) as (run_id, events):
        async for event in events:
            if event.event == "delta":
                break
        follower = asyncio.ensure_future(person.events(run_id))
        await asyncio.sleep(0.1)
        more.set()
        assert [event.event for event in await follower][-1] == "done"


async def test_what_is_not_ones_own_is_not_there(person: Any, others: Any, service: Any) -> None:
    run, _ = await person.run()
    stranger = service.person()
    for method, path in (
        ("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("GET", "/approvals/call_0"),
        ("GET", f"/files/{uuid4()}"),
    ):  # fmt: skip
        answer = await stranger.http.request(method, f"/api/v1/agents/runs/{run['id']}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
    assert (await stranger.http.get("/api/v1/agents/runs")).json()["data"] == []
    assert (await person.http.get("/api/v1/agents/runs/none")).status_code == 422


async def test_runs_are_listed_by_age_and_agent(person: Any, others: Any) -> None:
    agent = await person.new_agent()
    ids = [
        (await person.run(agent if number == 1 else str(ASSISTANT_AGENT_ID)))[0]["id"] for number in range(3)
    ]
    first = (await person.http.get("/api/v1/agents/runs?limit=2")).json()
    rest = (await person.http.get(f"/api/v1/agents/runs?after={first['last_id']}")).json()
    assert [run["id"] for run in first["data"] + rest["data"]] == ids[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert (first["data"][0]["steps"], first["data"][0]["usage"]["cost_nano"]) == ([], 100)
    only = (await person.http.get(f"/api/v1/agents/runs?agent_id={agent}")).json()
    assert [run["id"] for run in only["data"]] == [ids[1]]
    assert (await person.http.get("/api/v1/agents/runs?after=x")).json()["code"] == "cursor_invalid"


async def test_files_of_tools_are_kept_within_bounds_and_served_safely(
    person: Any, others: Any, play: Any, service: Any
) -> None:
    others.plans += [play.calls(("draw", {"size": 5000}))]
    run, events = await person.run(await person.new_agent("draw"))
    files = run["steps"][1]["files"]
    assert [(file["name"], file["size_bytes"]) for file in files] == [("plot.png", 12), ('pa"ge.html', 25)]
    assert "too large: huge.bin" in run["steps"][1]["result"]
    assert (
        next(
            event.data["files"]
            for event in events
            if event.event == "tool" and event.data["status"] == "done"
        )
        == files
    )
    picture = await person.http.get(files[0]["url"])
    assert picture.content == b"\x89PNG picture"
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["content-disposition"].startswith("inline")
    page = await person.http.get(files[1]["url"])
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith('attachment; filename="pa_ge.html"')
    assert page.headers["x-content-type-options"] == "nosniff"
    assert (await service.person().http.get(files[0]["url"])).status_code == 404
    assert (await person.http.get(f"/api/v1/agents/runs/{run['id']}/files/{uuid4()}")).json()[
        "code"
    ] == "file_not_found"


async def test_sources_are_searched_as_the_caller_and_cited_by_number(
    person: Any, others: Any, play: Any
) -> None:
    base, gone = str(uuid4()), str(uuid4())
    others.bases = {base: set(), gone: set()}
    agent = await person.new_agent(knowledge_base_ids=[gone])
    del others.bases[gone]
    others.plans += [
        play.calls(("search_documents", {}), ("search_documents", {"a": 1})),
        play.says("See [2]."),
    ]
    run, events = await person.run(agent, knowledge_base_ids=[base])
    assert [citation["n"] for citation in run["citations"]] == [1, 2]
    assert [event.data["n"] for event in events if event.event == "citation"] == [1, 2]
    assert "(1 bases, 0 files)" in run["steps"][1]["result"]
    assert "search_documents finds passages" in others.requests[0]["messages"][0]["content"]


@pytest.mark.parametrize("field", ["knowledge_base_ids", "file_ids"])
async def test_sources_the_caller_cannot_read_are_refused_by_name(
    person: Any, others: Any, field: str
) -> None:
    answer = await person.http.post(
        f"/api/v1/agents/{ASSISTANT_AGENT_ID}/runs", json={"input": "hi", field: [str(uuid4())]}
    )
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["field"] == f"body.{field}"
    assert others.requests == []


async def test_a_repeated_key_finds_the_first_run(person: Any, others: Any) -> None:
    url, headers = f"/api/v1/agents/{ASSISTANT_AGENT_ID}/runs", {"idempotency-key": "once"}
    first = (await person.http.post(url, json={"input": "hi"}, headers=headers)).json()
    again = (await person.http.post(url, json={"input": "hi"}, headers=headers)).json()
    assert again["id"] == first["id"]
    assert len(others.requests) == 1
    other = await person.http.post(url, json={"input": "else"}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


async def test_open_runs_of_a_person_are_bounded(person: Any, others: Any, play: Any, service: Any) -> None:
    held = asyncio.Event()
    others.default = play.says("x", until=held)
    service.app.state.settings.runs_open_per_user_max = 2
    try:
        url = f"/api/v1/agents/{ASSISTANT_AGENT_ID}/runs"
        posts = [asyncio.ensure_future(person.http.post(url, json={"input": "hi"})) for _ in range(3)]
        done, _ = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().result()
        assert (refused.status_code, refused.json()["code"], refused.json()["limit"]) == (
            429,
            "too_many_open_runs",
            2,
        )
    finally:
        service.app.state.settings.runs_open_per_user_max = 10
        held.set()
        await asyncio.gather(*posts)


class Chat:
    """The chat-service, acting for a person."""

    def __init__(self, service: Any, principal: Any = None, name: str = "chat-service") -> None:
        self.principal = principal or make_principal()
        self.headers = service.keys.service_headers(name, target="agent-service", principal=self.principal)
        self.service = service

    async def start(self, **body: Any) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60, base_url=self.service.base_url, trust_env=False) as http:
            whole = {"run_id": str(uuid4()), "agent_id": str(ASSISTANT_AGENT_ID), "input": "hi", **body}
            return await http.post("/internal/v1/runs", json=whole, headers=self.headers)


async def test_chat_begins_a_run_once_under_its_own_id(service: Any, others: Any, play: Any) -> None:
    chat, run_id = Chat(service), str(uuid4())
    person = service.person(chat.principal)
    first = await chat.start(run_id=run_id, model="chosen")
    again = await chat.start(run_id=run_id, model="chosen")
    assert (first.status_code, first.json()["id"], again.json()["id"]) == (200, run_id, run_id)
    run = await person.until_status(run_id, "complete")
    assert (run["model"], len(others.requests)) == ("chosen", 1)
    assert (await chat.start(run_id=run_id)).json()["status"] == "complete"
    foreign = await Chat(service).start(run_id=run_id)
    assert (foreign.status_code, foreign.json()["code"]) == (409, "run_id_taken")


async def test_an_agents_own_model_goes_before_that_of_the_chat(service: Any, others: Any) -> None:
    chat = Chat(service)
    person = service.person(chat.principal)
    agent = await person.new_agent(model="its-own")
    run = (await chat.start(agent_id=agent, model="of-the-chat")).json()
    assert run["model"] == "its-own"
    await person.until_status(run["id"], "complete")
    over, _ = await person.run(agent, model="of-the-caller")
    assert over["model"] == "of-the-caller"


async def test_the_internal_route_answers_chat_for_a_person_only(
    service: Any, others: Any, person: Any
) -> None:
    body = {"run_id": str(uuid4()), "agent_id": str(ASSISTANT_AGENT_ID), "input": "hi"}
    assert (await person.http.post("/internal/v1/runs", json=body)).status_code == 403
    assert (
        await Chat(service, name="billing-service").start()
    ).status_code == 401  # it calls no agent-service
    bare = service.keys.service_headers("chat-service", target="agent-service")
    assert (await person.http.post("/internal/v1/runs", json=body, headers=bare)).status_code == 403
    assert others.requests == []
