"""Random histories against an oracle in plain Python: limits hold, books balance, charges are exact, prices
are pinned.
"""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from billing_service.entitlements.models import ReservePolicy, bucket_list
from billing_service.entitlements.repository import EntitlementRepository
from billing_service.entitlements.sql_arguments import input_floor
from billing_service.jobs.repository import INVARIANTS
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from shared.contracts.billing import HoldProgress, PrincipalChain, ReserveRequest, UsageBuckets
from shared.db import create_raw_pool
from shared.money import TOKENS_PER_PRICE, ceil_div

GRANT = 1_000_000
DEFAULT_BUDGET = 600_000
POLICY = ReservePolicy(
    ttl_s=30, renewed_ttl_s=10, output_tokens_min=16, grant_nano=GRANT, default_budget_nano=DEFAULT_BUDGET
)
PRICE_NAMES = ("input", "cache_read", "cache_write", "audio_in", "output", "reasoning", "audio_out")

tokens = st.integers(0, 3_000)
prices = st.tuples(*[st.integers(0, 50_000_000)] * 7)
usages = st.builds(
    UsageBuckets,
    input_tokens=tokens,
    cache_read_tokens=tokens,
    cache_write_tokens=tokens,
    audio_in_tokens=st.just(0),
    output_tokens=tokens,
    reasoning_tokens=tokens,
    audio_out_tokens=st.just(0),
)


def oracle_cost(price, usage) -> int:
    return ceil_div(
        sum(amount * count for amount, count in zip(price, bucket_list(usage), strict=True)), TOKENS_PER_PRICE
    )


class Books(RuleBasedStateMachine):
    """One organisation, two people, one model whose price moves."""

    runner: asyncio.Runner
    pool: asyncpg.Pool
    holds = Bundle("holds")

    def __init__(self):
        super().__init__()
        self.repository = EntitlementRepository(self.pool)
        self.organisation, self.team, self.users = uuid4(), uuid4(), [uuid4(), uuid4()]
        self.model = f"model-{uuid4()}"
        self.price = ()
        self.wallet, self.spent_of = GRANT, dict.fromkeys(self.users, 0)
        self.open: dict[UUID, tuple[int, tuple[int, ...], UUID]] = {}
        self.charged: dict[UUID, int] = {}
        self.begun: dict[UUID, int] = {}
        """The least input of each hold that was begun."""
        self.floor: dict[UUID, int] = {}
        self.change_price(
            (10_000_000, 10_000_000, 10_000_000, 10_000_000, 40_000_000, 40_000_000, 40_000_000)
        )

    def run(self, work):
        return self.runner.run(work)

    def teardown(self):
        for name, query in INVARIANTS.items():
            assert self.run(self.pool.fetch(query)) == [], name

    @rule(price=prices)
    def change_price(self, price):
        columns = ", ".join(f"{name}_nano_per_mtok" for name in PRICE_NAMES)
        self.run(
            self.pool.execute(
                "UPDATE price SET effective_to = clock_timestamp() WHERE model = $1 AND effective_to IS NULL",
                self.model,
            )
        )
        self.run(
            self.pool.execute(
                f"INSERT INTO price (model, {columns}, effective_from, source)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
                " coalesce((SELECT max(effective_to) FROM price WHERE model = $1), now()), 'admin')",
                self.model,
                *price,
            )
        )
        self.price = price

    @rule(target=holds, who=st.integers(0, 1), input_max=tokens, output_max=tokens, choices=st.integers(1, 3))
    def reserve(self, who, input_max, output_max, choices):
        user = self.users[who]
        request = ReserveRequest(
            request_id=uuid4(),
            principal=PrincipalChain(user_id=user, organisation_id=self.organisation, team_id=self.team),
            model=self.model,
            provider="test",
            input_tokens_max=input_max,
            output_tokens_max=output_max,
            n=choices,
        )
        result = self.run(self.repository.reserve(request, POLICY))
        bound_in, bound_out = max(self.price[:4]), max(self.price[4:])
        granted = result.granted_output_tokens or 0
        if result.outcome != "held":
            least_output = min(output_max, POLICY.output_tokens_min)
            needed = ceil_div(input_max * bound_in + least_output * choices * bound_out, TOKENS_PER_PRICE)
            assert result.outcome in {"insufficient_credits", "budget_exceeded"}
            assert result.amount_nano == needed
            assert needed > result.remaining_nano
            return multiple()
        assert result.amount_nano == ceil_div(
            input_max * bound_in + granted * choices * bound_out, TOKENS_PER_PRICE
        )
        assert granted == output_max or granted >= min(output_max, POLICY.output_tokens_min)
        self.wallet -= result.amount_nano
        self.open[request.request_id] = (result.amount_nano, self.price, user)
        self.floor[request.request_id] = input_floor(request)
        return request.request_id

    @rule(hold=consumes(holds), usage=usages, again=st.integers(0, 2))
    def settle(self, hold, usage, again):
        amount, price, user = self.open.pop(hold)
        total = oracle_cost(price, usage)
        for _ in range(1 + again):
            settled = self.run(self._settle(hold, usage))
            assert (settled.result, settled.cost_nano) == ("settled", min(total, amount))
            assert settled.cost_nano + settled.house_loss_nano == total
        self.charge(hold, user, amount, min(total, amount))

    @rule(hold=consumes(holds))
    def release(self, hold):
        amount, _, user = self.open.pop(hold)
        assert self.run(self.repository.release(hold)) == "released"
        self.charge(hold, user, amount, 0)

    @rule(hold=holds, count=tokens, ttl_s=st.sampled_from([0.5, 3, 10, 30, 60]))
    def checkpoint(self, hold, count, ttl_s):
        renewed = self.run(
            self.repository.checkpoint([HoldProgress(request_id=hold, output_tokens=count)], ttl_s=ttl_s)
        )
        assert renewed == ({hold} if hold in self.open else set())
        self.begun |= {each: self.floor[each] for each in renewed}

    @rule(hold=consumes(holds), late=st.none() | usages)
    def expire(self, hold, late):
        amount, price, user = self.open.pop(hold)
        assert self.run(self.pool.fetchval("SELECT expire_hold($1, now() + interval '1 day')", hold))
        usage = self.run(self.repository.usage(hold))
        cost = usage.cost_nano
        assert cost <= amount
        assert usage.input_tokens == self.begun.get(hold, 0)
        if hold not in self.begun:
            assert (cost, usage.output_tokens) == (0, 0)
        self.charge(hold, user, amount, cost)
        if late is not None:
            settled = self.run(self._settle(hold, late))
            total = oracle_cost(price, late)
            assert settled.cost_nano <= amount
            assert settled.cost_nano + settled.house_loss_nano == total
            assert settled.cost_nano >= min(cost, total)
            self.charge(hold, user, cost, settled.cost_nano)

    @rule(amount=st.integers(1, 200_000))
    def top_up(self, amount):
        self.run(self.repository.open_accounts(self.organisation, grant_nano=GRANT))
        wallet = self.run(self.repository.wallet(self.organisation))
        key = f"top_up:{uuid4()}"
        for _ in range(2):
            self.run(
                self.pool.execute("SELECT top_up($1, $2, $3, $4)", self.organisation, wallet.id, amount, key)
            )
        self.wallet += amount

    @rule(
        who=st.integers(0, 1),
        window=st.sampled_from(["hour", "day", "month", "total"]),
        limit=st.integers(0, 900_000),
    )
    def set_budget(self, who, window, limit):
        self.run(self.repository.open_accounts(self.organisation, grant_nano=GRANT))
        self.run(
            self.pool.execute(
                "SELECT set_budget($1, 'user', $2, $3, $4, false)",
                self.organisation,
                self.users[who],
                window,
                limit,
            )
        )

    def charge(self, hold, user, held, cost):
        """`held` came back to the wallet, `cost` left it for good."""
        self.wallet += held - cost
        previous = self.charged.get(hold, 0)
        self.spent_of[user] += cost - previous
        self.charged[hold] = cost

    async def _settle(self, hold, usage):
        return await self.repository.settle(
            hold,
            bucket_list(usage),
            source="provider",
            outcome="complete",
            occurred_at=datetime.now(UTC),
            latency_ms=1,
        )

    @invariant()
    def the_wallet_is_what_the_oracle_says(self):
        wallet = self.run(self.repository.wallet(self.organisation))
        if wallet is not None:
            assert wallet.available_nano == self.wallet
            assert wallet.held_nano == sum(amount for amount, _, _ in self.open.values())

    @invariant()
    def what_people_spent_is_what_the_roll_up_says(self):
        rows = self.run(
            self.pool.fetch(
                "SELECT user_id, sum(cost_nano)::bigint AS cost FROM usage_rollup WHERE organisation_id = "
                "$1 GROUP BY 1",
                self.organisation,
            )
        )
        assert {row["user_id"]: row["cost"] for row in rows if row["cost"]} == {
            user: cost for user, cost in self.spent_of.items() if cost
        }

    @invariant()
    def no_limit_is_passed(self):
        assert self.run(self.pool.fetch(INVARIANTS["I1 spent + held <= limit"])) == []


@pytest.fixture
def runner():
    """One loop for all examples of a test."""
    with asyncio.Runner() as made:
        yield made


def test_any_history_keeps_the_books(database, runner):
    Books.runner = runner
    Books.pool = runner.run(create_raw_pool(database.app_url, schema="billing", size_min=1, size_max=1))
    run_state_machine_as_test(Books)
    runner.run(Books.pool.close())


@given(data=st.data())
def test_cost_is_exact_beyond_64_bits_and_rounded_up_once(database, runner, data):
    columns = ", ".join(f"{name}_nano_per_mtok" for name in PRICE_NAMES)

    async def check():
        connection = await asyncpg.connect(database.app_url)
        try:
            for _ in range(10):
                price = data.draw(st.tuples(*[st.integers(0, 10**15)] * 7))
                counts = data.draw(st.tuples(*[st.integers(0, 100_000_000)] * 7))
                transaction = connection.transaction()
                await transaction.start()
                cost = await connection.fetchval(
                    f"WITH p AS (INSERT INTO price (model, {columns}, effective_from, source)"
                    " VALUES ('cost', $1, $2, $3, $4, $5, $6, $7, now(), 'admin') RETURNING price.*)"
                    " SELECT token_cost_nano(p::price, $8, $9, $10, $11, $12, $13, $14) FROM p",
                    *price,
                    *counts,
                )
                await transaction.rollback()
                assert int(cost) == ceil_div(
                    sum(a * b for a, b in zip(price, counts, strict=True)), TOKENS_PER_PRICE
                )
        finally:
            await connection.close()

    runner.run(check())
