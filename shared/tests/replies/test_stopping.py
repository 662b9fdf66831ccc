"""Ending work from outside."""

import asyncio

import pytest
from shared.access import EndReason
from shared.replies.stopping import EndCause, WorkEndedError, WorkScope, end_reason_of


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _ended(scope: WorkScope, *, timeout_s: float = 10) -> WorkEndedError:
    with pytest.raises(WorkEndedError) as ended:
        await scope.run(_for_ever, timeout_s=timeout_s)
    return ended.value


async def test_work_that_is_ended_twice_ends_once_for_the_first_cause() -> None:
    scope = WorkScope()
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, scope.end, "stopped")
    loop.call_later(0.011, scope.end, "interrupted")
    assert (await _ended(scope)).cause == "stopped"
    scope.end("owner_lost")
    assert scope.cause == "stopped"


@pytest.mark.parametrize("cause", ["interrupted", "released", "owner_lost"])
async def test_a_stop_that_still_has_time_gives_way(cause: EndCause) -> None:
    scope = WorkScope(stop_wait_s=60)
    scope.end("stopped")
    asyncio.get_running_loop().call_later(0.01, scope.end, cause)
    assert (await _ended(scope)).cause == cause


async def test_stopped_work_may_end_by_itself_in_its_time() -> None:
    scope = WorkScope(stop_wait_s=60)
    scope.end("stopped")

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert await scope.run(work, timeout_s=10) == "done"


async def test_a_loss_of_access_goes_before_a_stop_and_says_why() -> None:
    scope = WorkScope(stop_wait_s=60)
    scope.end("stopped")
    scope.end_access(EndReason.KEY_REVOKED)
    ended = await _ended(scope)
    assert (ended.cause, ended.access) == ("access_lost", EndReason.KEY_REVOKED)


async def test_work_that_was_ended_before_does_not_begin() -> None:
    scope = WorkScope()
    scope.end("released")
    began = False

    async def work() -> None:
        nonlocal began
        began = True

    with pytest.raises(WorkEndedError):
        await scope.run(work, timeout_s=10)
    assert not began


async def test_time_that_is_up_is_a_cause_and_a_time_out_inside_is_none() -> None:
    assert (await _ended(WorkScope(), timeout_s=0.01)).cause == "timed_out"

    async def times_out() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await WorkScope().run(times_out, timeout_s=10)


def test_a_reason_of_a_newer_version_is_none() -> None:
    assert (end_reason_of("key_revoked"), end_reason_of("new"), end_reason_of(None)) == (
        EndReason.KEY_REVOKED,
        None,
        None,
    )
