"""kill -9 of each process in turn while a reply streams: the others go on, it comes back, nothing
acknowledged is lost or paid twice.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest
from suite.events import text_after
from suite.interrupted import Interrupted, kill_during_reply, settled_reply
from suite.people import Person
from suite.stack import SUPERVISOR, Stack
from suite.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.e2e, pytest.mark.timeout(180)]

TOKENS = 70
WHOLE = " ".join(f"t{number}" for number in range(TOKENS))


def killer(stack: Stack, name: str) -> Callable[[], int]:
    """kill -9 of that process; it gives the pid it had."""
    return lambda: stack.kill(name)


@pytest.fixture(autouse=True)
def healthy(stack: Stack) -> Iterator[None]:
    """Each test starts with everything up and must leave it so."""
    stack.wait_all_ready()
    yield
    stack.wait_all_ready()


def interrupt(stack: Stack, person: Person, name: str) -> Interrupted:
    """Kills `name` during a reply; returns when it is back. Nothing else may have been restarted."""
    before = stack.identities()
    broken = kill_during_reply(person, killer(stack, name), tokens=TOKENS)
    stack.wait_back(name, broken.killed_pid)
    stack.wait_all_ready()
    after = stack.identities()
    restarted = {other for other in before if other in after and before[other] != after[other]}
    assert restarted == {name}
    return broken


def works_again(person: Person) -> None:
    """A whole turn and a completion, by the same person."""
    turn = person.chat("fake-echo").post("still there")
    assert (turn.status, turn.text) == ("complete", "still there")
    assert turn.usage["cost_nano"] > 0


@pytest.mark.parametrize("name", ["agent-service", "retrieval-service", "model-server"])
def test_a_process_the_reply_does_not_need_is_not_missed(stack: Stack, person: Person, name: str) -> None:
    if name == "model-server":
        stack.wait_model()
    broken = interrupt(stack, person, name)
    assert broken.seen[-1].name == "done"
    reply = settled_reply(stack, broken)
    assert (reply["status"], reply["content"], broken.shown) == ("complete", WHOLE, WHOLE)
    works_again(person)


def test_the_built_in_model_answers_again_after_its_server_was_killed(stack: Stack, person: Person) -> None:
    stack.wait_model()
    pid = stack.kill("model-server")
    turn = person.chat(stack.model_id).post(
        "Say hello.", max_tokens=8
    )  # waits for the model, then is answered
    assert turn.status == "complete"
    assert turn.text
    stack.wait_back("model-server", pid)


def test_the_turn_survives_the_gateway_and_any_tab_resumes_it(stack: Stack, person: Person) -> None:
    broken = interrupt(stack, person, "gateway")
    assert broken.seen[-1].name != "done"
    rest = broken.chat.resumed(broken.reply_id, broken.seen[-1].id)
    assert text_after(broken.shown, rest) == WHOLE
    assert settled_reply(stack, broken)["status"] == "complete"
    works_again(person)


def test_a_reply_whose_chat_service_dies_is_kept_marked_and_can_go_on(stack: Stack, person: Person) -> None:
    broken = interrupt(stack, person, "chat-service")
    told = broken.seen[-1]
    assert (told.name, told.data["code"]) == ("error", "upstream_failed")
    assert "can be continued" in told.data["detail"]
    rest = broken.chat.resumed(broken.reply_id, told.id)
    assert (rest[-1].name, rest[-1].data["status"]) == ("done", "interrupted"), (
        "a stream that is resumed tells how it ended"
    )
    assert broken.chat.resumed(broken.reply_id, rest[-1].id)[-1].name == "done"
    reply = settled_reply(stack, broken)
    assert reply["status"] == "interrupted"
    assert text_after(broken.shown, rest) == reply["content"]
    assert 0 < len(reply["content"]) < len(WHOLE)
    going_on = broken.chat.turn_of(f"/messages/{broken.reply_id}/continue", max_tokens=5)
    assert going_on.events[-1].name == "done"
    assert broken.chat.message(broken.reply_id)["content"].startswith(reply["content"])
    works_again(person)


def test_a_reply_whose_inference_service_dies_keeps_what_came(stack: Stack, person: Person) -> None:
    broken = interrupt(stack, person, "inference-service")
    reply = settled_reply(stack, broken)
    assert reply["status"] in {"failed", "interrupted"}
    assert 0 < len(reply["content"]) < len(WHOLE)
    works_again(person)


def test_a_reply_goes_on_without_billing_and_is_charged_later(stack: Stack, person: Person) -> None:
    broken = interrupt(stack, person, "billing-service")
    assert broken.shown == WHOLE
    reply = settled_reply(stack, broken)
    assert (reply["status"], reply["content"]) == ("complete", WHOLE)
    assert reply["usage"]["completion_tokens"] == TOKENS
    works_again(person)


def test_the_database_comes_back_with_everything_acknowledged(
    stack: Stack, person: Person, stranger: Person
) -> None:
    earlier = stranger.chat("fake-echo")
    earlier.post("written before the crash")
    broken = interrupt(stack, person, "postgres")
    reply = settled_reply(stack, broken)
    assert reply["status"] in {"complete", "interrupted", "failed"}
    assert [message["content"] for message in earlier.messages()] == ["written before the crash"] * 2
    assert stack.ledger.imbalances() == []
    works_again(person)


def test_nothing_outlives_the_supervisor_and_the_next_start_finds_the_data(
    stack: Stack, person: Person
) -> None:
    made = person.make_key()
    children = {}

    def kill_supervisor() -> int:
        children.update(stack.identities())
        return stack.kill(SUPERVISOR)

    broken = kill_during_reply(person, kill_supervisor, tokens=TOKENS)
    assert len(children) >= 8
    until(
        lambda: not [name for name, each in children.items() if each.alive()],
        within_s=15,
        what="the children to die",
    )
    stack.start()
    assert person.http.post("/api/v1/auth/refresh").status_code == 200
    reply = settled_reply(stack, broken)
    assert reply["status"] == "interrupted"
    assert (
        person.http.get("/v1/models", headers={"authorization": f"Bearer {made['key']}"}).status_code == 200
    )
    assert stack.ledger.imbalances() == []
    works_again(person)


def test_two_starts_on_one_folder_are_refused(stack: Stack) -> None:
    environment = {**os.environ, "ATRIUM_HOME": str(stack.home.root)}
    command = [sys.executable, "-m", "atrium_local", "up"]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_a_client_that_was_cut_off_gets_an_error_and_no_silence(stack: Stack, person: Person) -> None:
    body = {
        "model": "fake-slow",
        "stream": True,
        "messages": [{"role": "user", "content": "!tokens=60 !delay_ms=50"}],
    }
    lines: list[str] = []
    pid = 0
    broken = False
    try:
        with person.http.stream("POST", "/v1/chat/completions", json=body) as response:
            for line in response.iter_lines():
                lines.append(line)
                if len(lines) == 10:
                    pid = stack.kill("inference-service")
    except httpx.HTTPError:
        broken = True
    assert "data: [DONE]" not in lines
    assert broken or any('"error"' in line for line in lines), f"the stream just ended: {lines[-3:]}"
    stack.wait_back("inference-service", pid)
