"""Two sandboxes on one machine: neither takes the threads of the other."""

import asyncio
import os

import pytest
from agent_service.code.users import USERS, SandboxUsers
from code_sandbox import NO_LANDLOCK, sandbox

FIRST = 1_900_000_000
MANY_THREADS = """
import pathlib, threading, time
for _ in range(60):
    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
time.sleep(20)
"""
SOME_THREADS = """
import threading, time
for _ in range(30):
    threading.Thread(target=time.sleep, args=(0.3,)).start()
"""


@pytest.mark.skipif(bool(NO_LANDLOCK), reason=NO_LANDLOCK or "Landlock is there")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs code under other users")
async def test_threads_of_one_service_are_not_taken_from_another(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    cache_dir = pytestconfig.cache.mkdir("code-sandbox")
    async with (
        sandbox(cache_dir, libraries=False, concurrency=1) as one,
        sandbox(cache_dir, libraries=False, concurrency=1) as other,
    ):
        greedy = asyncio.create_task(one.run(MANY_THREADS))
        for _ in range(10):
            result = await other.run(SOME_THREADS)
            assert result.status == "ok", result.stderr
        assert not greedy.done(), greedy.result().stderr
        greedy.cancel()
        await asyncio.gather(greedy, return_exceptions=True)


def test_no_user_is_claimed_twice_and_all_come_back() -> None:
    all_of_them = [SandboxUsers(FIRST, 23) for _ in range(USERS // 23)]
    claimed = [uid for users in all_of_them for uid in users.uids]
    assert sorted(claimed) == list(range(FIRST, FIRST + USERS))
    late = SandboxUsers(FIRST, 2)
    assert len(set(late.uids)) == 2, "where all are taken, code still runs"
    for users in [late, *all_of_them]:
        users.close()
    again = SandboxUsers(FIRST, USERS)
    assert sorted(again.uids) == sorted(claimed)
    again.close()


def test_more_places_than_users_are_all_different() -> None:
    users = SandboxUsers(FIRST, USERS + 5)
    assert len(set(users.uids)) == USERS + 5
    users.close()
