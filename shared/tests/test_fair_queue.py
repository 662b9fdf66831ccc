"""Turns go round by owner, interactive ones first, and waiting is bounded."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.fair_queue import FairQueue, Priority, QueueFullError, RoundRobin


def queue(*, slots: int = 1) -> FairQueue[str]:
    return FairQueue[str](slots=slots, places_max=100, places_per_owner_max=10)


BACKGROUND: Priority = "background"
INTERACTIVE: Priority = "interactive"


async def served(turns: FairQueue[str], wanted: Sequence[tuple[str, Priority]]) -> list[str]:
    """The owners in the order of their turns; all of them ask while the only slot is taken."""
    order: list[str] = []

    async def take(owner: str, priority: Priority) -> None:
        async with turns.turn(owner, priority):
            order.append(owner)

    async with asyncio.TaskGroup() as group, turns.turn("first", "background"):
        for owner, priority in wanted:
            group.create_task(take(owner, priority))
        await asyncio.sleep(0)
    return order


async def test_owners_take_turns_however_much_one_of_them_asks_for() -> None:
    order = await served(queue(), [*[("a", BACKGROUND)] * 6, *[("b", BACKGROUND)] * 2])
    assert order == ["a", "b", "a", "b", "a", "a", "a", "a"]


async def test_interactive_work_goes_first_and_never_for_ever() -> None:
    order = await served(queue(), [*[("slow", BACKGROUND)] * 3, *[("quick", INTERACTIVE)] * 20])
    assert order[:8] == ["quick"] * 8
    assert order[8] == "slow"
    assert order[17] == "slow"


async def test_who_stops_waiting_leaves_the_turn_to_the_next() -> None:
    turns = queue()
    order: list[str] = []

    async def take(owner: str) -> None:
        async with turns.turn(owner, "background"):
            order.append(owner)

    async with turns.turn("first", "background"):
        gone, waits = asyncio.ensure_future(take("gone")), asyncio.ensure_future(take("waits"))
        await asyncio.sleep(0)
        gone.cancel()
    await waits
    assert order == ["waits"]


async def test_who_is_cancelled_with_the_turn_just_given_hands_it_on() -> None:
    turns = queue()

    async def take() -> None:
        async with turns.turn("a", "background"):
            pass

    async with turns.turn("first", "background"):
        waits = asyncio.ensure_future(take())
        await asyncio.sleep(0)
    waits.cancel()  # the turn was given to it when the block ended, before it could run
    with pytest.raises(asyncio.CancelledError):
        await waits
    async with asyncio.timeout(20), turns.turn("b", "background"):
        pass


async def test_places_are_bounded_for_each_and_for_all() -> None:
    turns = FairQueue[str](places_max=3, places_per_owner_max=2)
    with ExitStack() as places:
        for _ in range(2):
            places.enter_context(turns.place("a"))
        with pytest.raises(QueueFullError) as refused:
            places.enter_context(turns.place("a"))
        assert refused.value.own
        places.enter_context(turns.place("b"))
        with pytest.raises(QueueFullError) as refused:
            places.enter_context(turns.place("c"))
        assert not refused.value.own
    assert turns.idle


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["interactive", "background"]), st.booleans()),
        max_size=30,
    )
)
def test_no_turn_is_lost_and_no_more_run_than_there_are_slots(
    asked: list[tuple[str, Priority, bool]],
) -> None:
    async def run() -> None:
        turns, running, done = queue(slots=2), 0, Counter[bool]()

        async def take(owner: str, priority: Priority) -> None:
            nonlocal running
            async with turns.turn(owner, priority):
                running += 1
                try:
                    assert running <= 2
                    await asyncio.sleep(0)
                finally:
                    running -= 1

        async def maybe(work: Coroutine[Any, Any, None], *, cancelled: bool) -> None:
            task = asyncio.ensure_future(work)
            await asyncio.sleep(0)
            if cancelled:
                task.cancel()
            done[(await asyncio.gather(task, return_exceptions=True))[0] is None] += 1

        async with asyncio.timeout(20):
            await asyncio.gather(
                *(maybe(take(owner, priority), cancelled=cancelled) for owner, priority, cancelled in asked)
            )
            async with turns.turn("x", "background"), turns.turn("y", "background"):
                pass  # both slots are free again
        assert done[True] >= sum(not cancelled for *_, cancelled in asked)

    asyncio.run(run())


def test_a_round_of_what_is_kept_elsewhere() -> None:
    turns = RoundRobin[str]()
    turns.note("a")
    turns.note("b")
    assert sorted(["a", "b", "c"], key=turns.last) == ["c", "a", "b"]
