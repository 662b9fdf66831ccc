"""How long a hold lives: a begun one by its checkpoints, one that was never begun by its making. Time passes
when told to.
"""

from datetime import UTC, datetime

import pytest
from billing_service.entitlements.models import bucket_list
from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.repository import JobRepository
from billing_service.jobs.sweeper import Sweeper
from billing_service.settings import BillingSettings
from pydantic import ValidationError
from shared.contracts.billing import CHECKPOINT_INTERVAL_S, HoldProgress, UsageBuckets
from shared.metrics import Metrics


class OldServer(JobRepository):
    """On a PostgreSQL that has been up for long."""

    async def overdue_holds(self, *, ttl_s, rows_max):
        del ttl_s
        return await super().overdue_holds(ttl_s=0, rows_max=rows_max)


class Passing:
    """The sweeper's clock and one hold, which grow older together."""

    def __init__(self, pool, repository, policy, request):
        self.now_s = 1000.0
        self.request_id = request.request_id
        self._pool, self._repository, self._policy = pool, repository, policy
        self._since_sweep_s = 0.0
        self.restart_billing()

    def restart_billing(self):
        metrics = JobMetrics(Metrics(service="billing-service"))
        policy = self._policy
        self.sweeper = Sweeper(
            OldServer(self._pool),
            ttl_s=policy.ttl_s,
            renewed_ttl_s=policy.renewed_ttl_s,
            metrics=metrics,
            clock=lambda: self.now_s,
        )

    async def checkpoint(self, tokens):
        progress = HoldProgress(request_id=self.request_id, output_tokens=tokens)
        return await self._repository.checkpoint([progress], ttl_s=self._policy.renewed_ttl_s)

    async def age(self, seconds):
        """The hold grows older while billing is away."""
        self.now_s += seconds
        await self._pool.execute(
            "UPDATE hold SET created_at = created_at - make_interval(secs => $2), expires_at = expires_at -"
            " make_interval(secs => $2)"
            " WHERE request_id = $1",
            self.request_id,
            float(seconds),
        )

    async def live(self, seconds, *, checkpoints=None):
        """Billing works for so long and sweeps as its schedule says; `checkpoints` are the tokens of each
        second.
        """
        for second in range(seconds):
            await self.age(1)
            if checkpoints is not None:
                await self.checkpoint(checkpoints(second))
            self._since_sweep_s += 1
            while self._since_sweep_s >= self.sweeper.interval_s:
                self._since_sweep_s -= self.sweeper.interval_s
                await self.sweeper.run()

    async def usage(self):
        return await self._repository.usage(self.request_id)

    async def settle(self, **tokens):
        return await self._repository.settle(
            self.request_id,
            bucket_list(UsageBuckets(**tokens)),
            source="provider",
            outcome="complete",
            occurred_at=datetime.now(UTC),
            latency_ms=1,
        )


@pytest.fixture
async def passing(pool, repository, policy, tenant):
    """A hold that was just made, by a billing-service that has been up for a while."""
    request = tenant.request()
    await repository.reserve(request, policy)
    time = Passing(pool, repository, policy, request)
    for _ in range(int(2 * policy.ttl_s / time.sweeper.interval_s)):
        time.now_s += time.sweeper.interval_s
        await time.sweeper.run()
    return time


async def test_a_begun_hold_ends_soon_after_its_last_checkpoint_and_is_charged_by_it(
    passing, policy, pool, broken_invariants
):
    await passing.checkpoint(0)
    await passing.live(4, checkpoints=lambda second: 10 * (second + 1))
    await passing.live(4)  # leaves six seconds for a slow machine
    assert (await passing.usage()).state == "held"
    await passing.live(8)  # its time is over, and the sweeper has come by
    usage = await passing.usage()
    assert (usage.state, usage.output_tokens) == ("expired", 40)
    assert usage.input_tokens > 0
    assert usage.cost_nano > 0
    assert await broken_invariants(pool) == {}


async def test_a_hold_that_was_never_begun_lives_by_its_making_and_costs_nothing(passing, policy):
    await passing.live(int(policy.ttl_s) - 15)  # leaves 15 seconds for a slow machine
    assert (await passing.usage()).state == "held"
    await passing.live(18)
    usage = await passing.usage()
    assert (usage.state, usage.cost_nano) == ("expired", 0)


async def test_a_living_stream_is_never_ended_however_long_it_runs(passing, policy):
    await passing.live(6 * int(policy.ttl_s), checkpoints=lambda second: second)
    assert (await passing.usage()).state == "held"


async def test_a_stream_that_lives_while_billing_is_away_is_charged_once_and_in_full(
    passing, pool, broken_invariants
):
    await passing.checkpoint(5)
    await passing.age(60)
    passing.restart_billing()
    await passing.live(3)  # the dispatcher needs a moment to find billing again
    assert (await passing.usage()).state == "held"
    await passing.live(60, checkpoints=lambda _: 20)
    first = await passing.settle(input_tokens=50, output_tokens=30)
    again = await passing.settle(input_tokens=50, output_tokens=30)
    assert first.result == again.result == "settled"
    assert first.cost_nano == again.cost_nano
    usage = await passing.usage()
    assert (usage.state, usage.output_tokens) == ("settled", 30)
    assert await broken_invariants(pool) == {}


async def test_a_dispatcher_that_died_while_billing_was_away_has_its_last_checkpoint_charged(
    passing, policy, pool, broken_invariants
):
    await passing.checkpoint(7)
    await passing.age(60)
    passing.restart_billing()
    await passing.live(int(policy.ttl_s) + 3)
    usage = await passing.usage()
    assert (usage.state, usage.output_tokens) == ("expired", 7)
    late = await passing.settle(input_tokens=usage.input_tokens, output_tokens=30)
    assert late.cost_nano > usage.cost_nano
    assert (await passing.usage()).output_tokens == 30
    assert await broken_invariants(pool) == {}


async def test_billing_that_stood_still_gives_its_callers_time_to_renew(passing):
    await passing.checkpoint(1)
    await passing.age(20)
    await passing.sweeper.run()  # the first thing it does when it runs again
    assert (await passing.usage()).state == "held"
    await passing.live(60, checkpoints=lambda _: 2)
    assert (await passing.usage()).state == "held"


def settings(**changes):
    """Only what is checked before anything else is missing."""
    with pytest.raises(ValidationError) as refused:
        BillingSettings(**changes)
    return {error["loc"][0] for error in refused.value.errors()}


def test_the_time_of_a_begun_hold_allows_some_checkpoints_to_be_missed():
    assert "hold_begun_ttl_s" in settings(hold_begun_ttl_s=2 * CHECKPOINT_INTERVAL_S)
    assert "hold_begun_ttl_s" not in settings(hold_begun_ttl_s=3 * CHECKPOINT_INTERVAL_S)
