"""Calls of one organisation that come together share a transaction and nothing else."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from billing_service.entitlements.group_commit import GroupCommit
from shared.clock import utc_now
from shared.errors import Unavailable
from shared.money import NANO

USAGE = [100, 0, 0, 0, 20, 0, 0]


def settle(repository, request_id, usage=USAGE):
    return repository.settle(
        request_id, usage, source="provider", outcome="complete", occurred_at=utc_now(), latency_ms=1
    )


async def transactions_of(pool: asyncpg.Pool, request_ids: list[Any]) -> int:
    return await pool.fetchval(
        "SELECT count(DISTINCT xmin::text) FROM hold WHERE request_id = ANY ($1)", request_ids
    )


class Recorder:
    """Stands where the database would: notes each batch, and waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.arrived = asyncio.Condition()

    async def run(self, calls: list[int]) -> list[int]:
        async with self.arrived:
            self.batches.append(list(calls))
            self.arrived.notify_all()
        await self.open.wait()
        if 13 in calls:
            raise asyncpg.CheckViolationError("thirteen")
        if 99 in calls:
            raise Unavailable("away")
        return [call * 10 for call in calls]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def ask(recorder):
    group = GroupCommit(recorder.run)
    key = (uuid4(), None)

    def start(call: int, organisation=key) -> asyncio.Task:
        return asyncio.create_task(group.result(group.submit(organisation, call)))

    return start


async def reach(recorder: Recorder, batches: int) -> None:
    async with recorder.arrived, asyncio.timeout(20):
        await recorder.arrived.wait_for(lambda: len(recorder.batches) >= batches)


async def test_a_lone_call_runs_at_once_and_what_comes_meanwhile_goes_together(recorder, ask):
    first = ask(1)
    await reach(recorder, 1)
    others = [ask(number) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    recorder.open.set()
    assert await asyncio.gather(first, *others) == [10, 20, 30, 40]
    assert recorder.batches == [[1], [2, 3, 4]]


async def test_a_batch_is_bounded(recorder, ask):
    first = ask(0)
    await reach(recorder, 1)
    others = [ask(1000 + number) for number in range(150)]
    await asyncio.sleep(0)
    recorder.open.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in recorder.batches] == [1, 64, 64, 22]


async def test_another_organisation_does_not_wait(recorder, ask):
    mine, theirs = ask(1), ask(2, (uuid4(), None))
    await reach(recorder, 2)
    recorder.open.set()
    assert await asyncio.gather(mine, theirs) == [10, 20]


async def test_what_one_call_raises_is_its_own_affair(recorder, ask):
    first = ask(0)
    await reach(recorder, 1)
    good, bad, also_good = ask(1), ask(13), ask(2)
    await asyncio.sleep(0)
    recorder.open.set()
    answers = await asyncio.gather(first, good, bad, also_good, return_exceptions=True)
    assert answers[:2] == [0, 10]
    assert answers[3] == 20
    assert isinstance(answers[2], asyncpg.CheckViolationError)
    assert recorder.batches == [[0], [1, 13, 2], [1], [13], [2]]


async def test_a_database_that_is_away_answers_the_whole_batch_once(recorder, ask):
    first = ask(0)
    await reach(recorder, 1)
    others = [ask(1), ask(99)]
    await asyncio.sleep(0)
    recorder.open.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(answer) for answer in answers] == [int, Unavailable, Unavailable]
    assert recorder.batches == [[0], [1, 99]]


async def test_a_call_cancelled_while_it_waits_is_dropped(recorder, ask):
    first = ask(1)
    await reach(recorder, 1)
    gone, stays = ask(2), ask(3)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    recorder.open.set()
    assert await asyncio.gather(first, stays) == [10, 30]
    assert recorder.batches == [[1], [3]]


async def test_a_call_cancelled_in_flight_leaves_its_neighbours_alone(recorder, ask):
    first = ask(0)
    await reach(recorder, 1)
    gone, stays = ask(2), ask(3)
    recorder.open.set()
    await first
    recorder.open.clear()
    await reach(recorder, 2)
    gone.cancel()
    await asyncio.sleep(0)
    recorder.open.set()
    assert await stays == 30


async def test_reserves_that_come_together_share_a_transaction(
    pool, repository, policy, tenant, broken_invariants
):
    requests = [tenant.request() for _ in range(12)]
    results = await asyncio.gather(*(repository.reserve(request, policy) for request in requests))
    assert {result.outcome for result in results} == {"held"}
    assert await transactions_of(pool, [request.request_id for request in requests]) < 6
    settled = await asyncio.gather(*(settle(repository, request.request_id) for request in requests))
    assert {result.result for result in settled} == {"settled"}
    assert len({result.remaining_nano for result in settled}) < 6
    assert await broken_invariants(pool) == {}


async def test_a_refused_call_takes_nothing_from_the_granted_ones_beside_it(
    pool, repository, policy, tenant, broken_invariants
):
    tight = replace(policy, default_budget_nano=policy.default_budget_nano // 1000)
    probe = await repository.reserve(tenant.request(), tight)
    fitting = (probe.remaining_nano or 0) // (probe.amount_nano or 1)
    assert fitting > 2
    huge = tenant.request(input_tokens_max=90_000_000)
    small = [tenant.request() for _ in range(3)]
    unpriced = tenant.request(model="nobody-knows")
    results = await asyncio.gather(
        *(repository.reserve(request, tight) for request in (small[0], huge, unpriced, *small[1:]))
    )
    assert [result.outcome for result in results[:3]] == ["held", "budget_exceeded", "price_unknown"]
    assert [result.outcome for result in results[3:]] == ["held", "held"]
    # Calls are admitted in the order they came: what is left falls by one hold each.
    left = [result.remaining_nano or 0 for result in results if result.outcome == "held"]
    assert left == [(probe.remaining_nano or 0) - number * (probe.amount_nano or 0) for number in (1, 2, 3)]
    assert await broken_invariants(pool) == {}


async def test_a_batch_never_passes_the_limit(pool, repository, policy, tenant, broken_invariants):
    probe = await repository.reserve(tenant.request(), policy)
    limit = replace(policy, default_budget_nano=5 * (probe.amount_nano or 0), grant_nano=5 * NANO)
    other = type(tenant)()
    results = await asyncio.gather(*(repository.reserve(other.request(), limit) for _ in range(20)))
    assert sum(result.outcome == "held" for result in results) == 5
    assert (
        sum(result.amount_nano for result in results if result.outcome == "held") == limit.default_budget_nano
    )
    assert await broken_invariants(pool) == {}


async def test_the_same_dispatch_twice_in_a_batch_is_held_and_charged_once(
    pool, repository, policy, tenant, broken_invariants
):
    request, neighbour = tenant.request(), tenant.request()
    held = await asyncio.gather(
        *(repository.reserve(each, policy) for each in (request, request, neighbour, request))
    )
    assert {result.outcome for result in held} == {"held"}
    once = [
        settle(repository, request.request_id),
        settle(repository, neighbour.request_id),
        settle(repository, request.request_id),
    ]
    settled = await asyncio.gather(*once)
    assert settled[0].cost_nano == settled[2].cost_nano
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM transfer WHERE transaction_id = $1 AND reason = 'charge'",
            str(request.request_id),
        )
        == 1
    )
    assert await broken_invariants(pool) == {}


async def test_a_settlement_the_database_refuses_leaves_its_neighbours_charged(
    pool, repository, policy, tenant, broken_invariants
):
    requests = [tenant.request() for _ in range(4)]
    await asyncio.gather(*(repository.reserve(request, policy) for request in requests))
    usages = [USAGE, [-1, 0, 0, 0, 2**62, 2**62, 0], USAGE, USAGE]
    calls = (
        settle(repository, request.request_id, usage) for request, usage in zip(requests, usages, strict=True)
    )
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[1], asyncpg.PostgresError)
    assert [answer.result for answer in answers if not isinstance(answer, BaseException)] == ["settled"] * 3
    assert (await repository.usage(requests[1].request_id)).state == "held"
    await repository.release(requests[1].request_id)
    assert await broken_invariants(pool) == {}


async def test_a_release_waits_for_the_reserve_it_undoes(pool, repository, policy, tenant, broken_invariants):
    requests = [tenant.request() for _ in range(5)]
    reserving = [asyncio.create_task(repository.reserve(request, policy)) for request in requests]
    await asyncio.sleep(0)
    assert await repository.release(requests[4].request_id) == "released"
    await asyncio.gather(*reserving)
    assert await broken_invariants(pool) == {}


async def test_a_repeat_of_a_reserve_is_waited_for_by_its_release(repository, policy, tenant):
    """The first answer does not hide that the second is still to be decided."""
    request = tenant.request()
    first, again = (repository.begin_reserve(request, policy) for _ in range(2))
    repeat = repository._deciding[request.request_id]
    await first
    assert repeat.done() or repository._deciding[request.request_id] is repeat
    await again
    assert request.request_id not in repository._deciding
    assert await repository.release(request.request_id) == "released"
