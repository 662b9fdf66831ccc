"""kill -9 of the services that do long work, in the middle of it: nothing lost, nothing doubled, everything
ends.
"""

from collections.abc import Iterator

import pytest
from suite.documents import agent, ended, search, upload
from suite.events import Turn
from suite.people import Person
from suite.stack import Stack
from suite.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.e2e, pytest.mark.timeout(300)]

ROUNDS = 9
TEN_STEPS = f'!call=calculator !args={{"expression":"{{n}}*1000"}} !rounds={ROUNDS} !delay_ms=60'


@pytest.fixture(autouse=True)
def healthy(stack: Stack) -> Iterator[None]:
    """Each test starts with everything up and must leave it so."""
    stack.wait_all_ready()
    yield
    stack.wait_all_ready()


def long_text() -> bytes:
    """About 300 chunks, each with a word of its own."""
    filler = "Plain words follow here. " * 30
    sections = (
        f"# Section {number}\n\nThe code word of this part is kestrel{number}. {filler}"
        for number in range(300)
    )
    return "\n\n".join(sections).encode()


def test_an_ingestion_goes_on_where_its_killed_service_left_it(stack: Stack, person: Person) -> None:
    document = upload(person, "long.md", long_text(), "text/markdown")
    path = f"/api/v1/retrieval/files/{document['document_id']}"
    for _ in range(2):
        stage = until(
            lambda: (
                person.get(path)["stage"] if person.get(path)["stage"] in {"embedding", "ready"} else None
            ),
            within_s=60,
            what="the embedding to begin",
        )
        if stage == "ready":
            break
        pid = stack.kill("retrieval-service")
        assert person.chat("fake-echo").post("others go on").status == "complete"
        stack.wait_back("retrieval-service", pid)
    done = ended(person, document["document_id"], within_s=200)
    assert done["stage"] == "ready", done
    chunks: list[str] = []
    after = None
    while True:
        page = person.get(f"{path}/chunks", limit=100, **({} if after is None else {"after": after}))
        chunks += [chunk["text"] for chunk in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert len(chunks) == done["chunk_count"]
    for number in (0, 150, 299):
        assert sum(f"kestrel{number}." in chunk for chunk in chunks) in {
            1,
            2,
        }  # two where an overlap repeats it
    found = search(person, "kestrel150", mode="bm25", k=3)["data"]
    assert "kestrel150." in found[0]["text"]
    assert len({passage["chunk_id"] for passage in found}) == len(found)


@pytest.mark.parametrize("name", ["agent-service", "chat-service", "inference-service"])
def test_a_run_of_ten_steps_outlives_each_service_it_needs(stack: Stack, person: Person, name: str) -> None:
    chat = person.chat("fake-echo")
    assert (
        person.http.patch(
            chat.path, json={"agent_id": agent(person, tools=["calculator"], limits={"steps_max": 20})}
        ).status_code
        == 200
    )
    with chat.begin(TEN_STEPS) as reply:
        reply_id = reply.reply_id
        reply.until("tool", 5)
        pid = stack.kill(name)
        seen = list(reply.seen) if name == "chat-service" else reply.rest()
    stack.wait_back(name, pid)
    message = chat.ended(reply_id, within_s=60)
    run = until(
        lambda: (
            (found := person.get(f"/api/v1/agents/runs/{reply_id}"))
            and found["status"] in {"complete", "failed", "stopped"}
            and found
        ),
        within_s=30,
        what="the end of the run",
    )
    if name == "inference-service":
        assert run["status"] in {"complete", "failed"}
    else:
        assert (message["status"], run["status"]) == ("complete", "complete"), run["error"]
        done = [step for step in run["steps"] if step["kind"] == "tool" and step["status"] == "done"]
        assert [step["arguments"]["expression"] for step in done] == [
            f"{number}*1000" for number in range(1, ROUNDS + 1)
        ]
        assert str(ROUNDS * 1000) in message["content"].replace(",", "")
    assert message["content"] == run["output"]
    rest = chat.resumed(reply_id, seen[-1].id) if seen[-1].name != "done" else []
    # What is waited for meanwhile is no event of the run, and comes under the id of the last one.
    ids = [event.id for event in Turn([*seen, *rest]).events if event.name != "waiting"]
    assert ids == sorted(set(ids))
    cost = until(
        lambda: (person.get(f"/api/v1/agents/runs/{reply_id}")["usage"] or {}).get("cost_nano"),
        within_s=60,
        what="its cost",
    )
    assert person.usage_settles_at(cost, within_s=30)["cost_nano"] == cost
