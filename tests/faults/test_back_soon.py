"""How long each service is away when it is killed, frozen or restarted, seen by people at port 8000."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from suite.people import Person
from suite.stack import Stack
from suite.waiting import is_within, until

pytestmark = [pytest.mark.faults, pytest.mark.e2e, pytest.mark.timeout(240)]

KILLED_AWAY_MAX_S = 4.0
FROZEN_AWAY_MAX_S = 15.0
ANSWER_MAX_S = 10.5

# A route of each service that needs its database.
ROUTES = {
    "gateway": "/api/v1/auth/me",
    "inference-service": "/v1/models",
    "agent-service": "/api/v1/agents",
    "retrieval-service": "/api/v1/retrieval/files",
    "chat-service": "/api/v1/chats",
    "billing-service": "/api/v1/billing/entitlements",
}


@dataclass(slots=True)
class Seen:
    """What somebody saw who asked all the time."""

    away_s: float = 0.0  # longest time between two good answers, less what a good one takes
    waited_s: float = 0.0  # longest wait for any answer
    failures: list[str] = field(default_factory=list[str])
    good: int = 0


@contextmanager
def asking(person: Person, path: str) -> Iterator[Seen]:
    """One GET after the other while the block runs."""
    seen, stop = Seen(), threading.Event()

    def ask() -> None:
        last_good = time.monotonic()
        with httpx.Client(
            base_url=person.gateway_url, headers=dict(person.http.headers), timeout=30, trust_env=False
        ) as http:
            while not stop.is_set():
                asked = time.monotonic()
                try:
                    answer = http.get(path)
                    good, what = answer.status_code == 200, str(answer.status_code)
                except httpx.HTTPError as error:
                    good, what = False, type(error).__name__
                now = time.monotonic()
                seen.waited_s = max(seen.waited_s, now - asked)
                if good:
                    seen.away_s, seen.good, last_good = max(seen.away_s, now - last_good), seen.good + 1, now
                else:
                    seen.failures.append(what)
                stop.wait(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        until(lambda: seen.good > 2, within_s=30, what="the first answers")
        yield seen
        after = seen.good
        until(lambda: seen.good > after + 2, within_s=60, what="answers again")
    finally:
        stop.set()
        thread.join()


@pytest.fixture(autouse=True)
def healthy(stack: Stack) -> Iterator[None]:
    """Each test starts with everything up and must leave it so."""
    stack.wait_all_ready()
    yield
    stack.wait_all_ready()


@pytest.mark.parametrize("name", ROUTES)
def test_a_killed_service_answers_again_within_seconds(stack: Stack, person: Person, name: str) -> None:
    with asking(person, ROUTES[name]) as seen:
        pid = stack.kill(name)
        stack.wait_back(name, pid)
    assert is_within(seen.away_s, KILLED_AWAY_MAX_S), seen
    assert is_within(seen.waited_s, ANSWER_MAX_S), seen


@pytest.mark.parametrize("name", ["chat-service", "gateway"])
def test_a_frozen_service_is_replaced_and_nobody_waits_long(stack: Stack, person: Person, name: str) -> None:
    with asking(person, ROUTES[name]) as seen:
        pid = stack.kill(name, signal.SIGSTOP)
        began = time.monotonic()
        stack.wait_back(name, pid)
        assert is_within(time.monotonic() - began, FROZEN_AWAY_MAX_S)
    if name != "gateway":  # nobody else can answer in its place
        assert is_within(seen.waited_s, ANSWER_MAX_S), seen


@pytest.mark.parametrize("name", ROUTES)
def test_a_restarted_service_is_not_missed(stack: Stack, person: Person, name: str) -> None:
    """Nobody waits for the new process to start: the old one answers until it is ready."""
    with asking(person, ROUTES[name]) as seen:
        command = [sys.executable, "-m", "atrium_local", "restart", name]
        done = subprocess.run(
            command, env=stack.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        replaced = re.search(rf"{name} is a new process after ([0-9.]+) s", done.stdout)
        assert replaced, done.stdout
    assert not seen.failures
    assert seen.away_s < float(replaced[1]) / 2, (seen, done.stdout)
