"""A group does what its calls would do one after the other, settlements first."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from billing_service.entitlements.models import ReservePolicy, SettleCall, SettleResult
from billing_service.entitlements.repository import EntitlementRepository
from billing_service.jobs.repository import INVARIANTS
from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.billing import PrincipalChain, ReserveRequest
from shared.db import create_raw_pool

POLICY = ReservePolicy(
    ttl_s=30, renewed_ttl_s=10, output_tokens_min=16, grant_nano=200_000, default_budget_nano=120_000
)
MODELS = ("qwen2.5-coder-0.5b-instruct", "free-of-charge", "nobody-knows")

people = st.integers(0, 2)
sizes = st.integers(0, 2_000)
held_before = st.tuples(people, st.sampled_from(MODELS[:2]), sizes, sizes)
ends = st.sampled_from(["held", "held", "held", "settled", "released", "unknown"])
settles = st.lists(st.tuples(held_before, ends, st.tuples(sizes, sizes)), max_size=5)
reserves = st.lists(st.tuples(people, st.sampled_from(MODELS), sizes, sizes, st.integers(1, 2)), max_size=6)
budgets = st.lists(
    st.tuples(
        st.sampled_from(["organisation", "team", "user", "key"]),
        people,
        st.sampled_from(["hour", "day", "month", "total"]),
        st.integers(0, 200_000),
    ),
    max_size=4,
)


class World:
    """An organisation with three people, each with a team and a key of their own."""

    def __init__(self, repository: EntitlementRepository, pool) -> None:
        self.repository, self.pool = repository, pool
        self.organisation = uuid4()
        self.people = [(uuid4(), uuid4(), key) for key in (None, uuid4(), uuid4())]
        self.names: dict[UUID, str] = {self.organisation: "organisation"}
        for number, person in enumerate(self.people):
            kinds = zip(("team", "user", "key"), person, strict=True)
            self.names |= {each: f"{kind} {number}" for kind, each in kinds if each}

    def request(self, who: int, model: str, input_max: int, output_max: int, choices: int = 1):
        team, user, key = self.people[who]
        return ReserveRequest(
            request_id=uuid4(),
            principal=PrincipalChain(
                user_id=user, organisation_id=self.organisation, team_id=team, key_id=key
            ),
            model=model,
            provider="test",
            input_tokens_max=input_max,
            output_tokens_max=output_max,
            n=choices,
        )

    async def limit(self, scope: str, who: int, window: str, limit_nano: int) -> None:
        place = {"organisation": self.organisation, "team": 0, "user": 1, "key": 2}[scope]
        scope_id = place if isinstance(place, UUID) else self.people[who][place]
        if scope_id is not None:
            await self.pool.execute(
                "SELECT set_budget($1, $2, $3, $4, $5, false)",
                self.organisation,
                scope,
                scope_id,
                window,
                limit_nano,
            )

    async def begin(self, before, ending: str) -> UUID:
        """The id of a dispatch that has come as far as `ending`."""
        request = self.request(*before)
        result = await self.repository.reserve(request, POLICY)
        if ending == "unknown" or result.outcome != "held":
            return uuid4()
        if ending == "settled":
            await self.repository.begin_settle(settlement(request.request_id, (7, 7)))
        if ending == "released":
            await self.repository.release(request.request_id)
        return request.request_id

    def nameless(self, result):
        """A result without ids and times, and of a settlement without what is left: that is of the group."""
        if isinstance(result, SettleResult):
            return replace(result, remaining_nano=None)
        changes = {"scope_id": self.names.get(result.scope_id, "wallet") if result.scope_id else None}
        return replace(result, expires_at=None, **changes)

    async def books(self):
        """All that the money functions wrote, without ids and times."""
        queries = (
            "SELECT kind, balance_nano FROM account WHERE organisation_id = $1",
            "SELECT b.scope, b.limit_nano, w.spent_nano, w.held_nano FROM budget_window w"
            " JOIN budget b ON b.id = w.budget_id WHERE b.organisation_id = $1",
            "SELECT reason::text, amount_nano FROM transfer WHERE organisation_id = $1",
            "SELECT state::text, model, amount_nano, cost_nano, house_loss_nano, input_tokens, output_tokens,"
            " late, cardinality(window_ids) FROM hold WHERE organisation_id = $1",
            "SELECT model, cost_nano, house_loss_nano, tokens_input, tokens_output, source::text"
            " FROM usage_event WHERE customer_id = $1",
            "SELECT model, requests, cost_nano, house_loss_nano FROM usage_rollup WHERE organisation_id = $1",
            "SELECT topic, payload ->> 'cost_nano' FROM outbox WHERE key = $1::uuid::text",
        )
        found = [await self.pool.fetch(query, self.organisation) for query in queries]
        return [sorted(map(repr, map(tuple, rows))) for rows in found]


def settlement(dispatch_id: UUID, usage: tuple[int, int]) -> SettleCall:
    buckets = [usage[0], 0, 0, 0, usage[1], 0, 0]
    occurred_at = datetime.now(UTC) - timedelta(days=1)
    return SettleCall(dispatch_id, buckets, "provider", "complete", occurred_at, 1)


async def _apply(world: World, ended, asked, *, together: bool):
    ids = [await world.begin(before, ending) for before, ending, _ in ended]
    # Each id is known to be of this organisation, so that all of them are in one group.
    key = (world.organisation, POLICY)
    world.repository._queues.update(dict.fromkeys(ids, key))
    calls = [settlement(each, usage) for each, (_, _, usage) in zip(ids, ended, strict=True)]
    works = [lambda call=call: world.repository.begin_settle(call) for call in calls]
    works += [
        lambda each=each: world.repository.begin_reserve(world.request(*each), POLICY) for each in asked
    ]
    if together:
        results = await asyncio.gather(*[work() for work in works])
    else:
        results = [await work() for work in works]
    return [world.nameless(result) for result in results]


@pytest.fixture
def runner():
    """One loop for all examples of a test."""
    with asyncio.Runner() as made:
        yield made


@given(limits=budgets, ended=settles, asked=reserves)
def test_a_group_does_what_its_calls_do_one_after_the_other(database, runner, limits, ended, asked):
    async def check():
        async with await create_raw_pool(database.app_url, schema="billing", size_min=1, size_max=2) as pool:
            repository = EntitlementRepository(pool)
            await pool.execute(
                "INSERT INTO price (model, free, input_nano_per_mtok, cache_read_nano_per_mtok,"
                " cache_write_nano_per_mtok, audio_in_nano_per_mtok, output_nano_per_mtok,"
                " reasoning_nano_per_mtok, audio_out_nano_per_mtok, effective_from, source)"
                " SELECT $1, true, 0, 0, 0, 0, 0, 0, 0, '2020-01-01', 'admin'"
                " WHERE NOT EXISTS (SELECT FROM price WHERE model = $1)",
                MODELS[1],
            )
            seen = []
            for together in (True, False):
                world = World(repository, pool)
                await repository.open_accounts(world.organisation, grant_nano=POLICY.grant_nano)
                for limit in limits:
                    await world.limit(*limit)
                results = await _apply(world, ended, asked, together=together)
                seen.append((results, await world.books()))
            assert seen[0] == seen[1]
            for name, query in INVARIANTS.items():
                assert await pool.fetch(query) == [], name

    runner.run(check())
