"""Several processes at once: limits hold, one charge per dispatch, no deadlock, and refusals take nothing."""

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

WORKER = Path(__file__).with_name("race_worker.py")
PROCESSES = 3
PRICE_INPUT, PRICE_OUTPUT = 10, 40


def run_race(mode, tasks):
    """Start one process per task at once and give what each printed."""
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), mode, json.dumps(task)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for task in tasks
    ]
    results = []
    for worker in workers:
        output, errors = worker.communicate(timeout=90)
        assert worker.returncode == 0, errors.decode()[-2_000:]
        results.append(json.loads(output))
    return results


@pytest.fixture
def race(database):
    """Tasks for PROCESSES workers, each with its own seed."""

    def start(mode, **task):
        return run_race(mode, [{"url": database.app_url, "seed": seed, **task} for seed in range(PROCESSES)])

    return start


async def test_processes_together_never_pass_a_limit(race, pool, new_tenant, broken_invariants):
    first = new_tenant()
    people = [
        first,
        *[new_tenant(organisation_id=first.organisation_id, team_id=first.team_id) for _ in range(2)],
    ]
    # Each request holds 30,000 nano-USD; three people share a wallet of 20 of them, each may have 9.
    results = race(
        "spend", chains=[person.chain() for person in people], grant=600_000, budget=270_000, rounds=40
    )
    seen = {
        outcome: sum(result.get(outcome, 0) for result in results)
        for outcome in {key for result in results for key in result}
    }
    assert sum(seen.values()) == PROCESSES * 3 * 40
    assert seen["held"] > 0
    assert seen.get("budget_exceeded", 0) + seen.get("insufficient_credits", 0) > 0
    rows = await pool.fetch(
        "SELECT b.limit_nano, w.spent_nano, w.held_nano FROM budget_window w JOIN budget b ON b.id ="
        " w.budget_id"
        " WHERE b.organisation_id = $1",
        first.organisation_id,
    )
    assert rows
    assert all(row["spent_nano"] + row["held_nano"] <= row["limit_nano"] for row in rows)
    # A refused request left no trace: held money is exactly that of the admitted and still open ones.
    assert (
        await pool.fetchval("SELECT count(*) FROM hold WHERE organisation_id = $1", first.organisation_id)
        == seen["held"]
    )
    assert await broken_invariants(pool) == {}


async def test_one_dispatch_is_held_and_charged_once_whoever_repeats_it(
    race, pool, tenant, broken_invariants
):
    ids = [str(uuid4()) for _ in range(40)]
    results = race("same", ids=ids, chains=[tenant.chain()], grant=10**9, budget=10**9)
    for result in results:
        # A reserve that comes after another process settled is told so; it never makes a second hold.
        assert result["outcomes"].keys() <= {"held", "request_id_reused"}
    for request_id in ids:
        answers = {result["costs"][request_id] for result in results}
        entries = await pool.fetch(
            "SELECT reason, amount_nano FROM transfer WHERE transaction_id = $1 ORDER BY id", request_id
        )
        amounts = {row["reason"]: row["amount_nano"] for row in entries}
        assert len(entries) == len(amounts)
        assert answers == {amounts["charge"]}
        assert (
            amounts["hold"]
            == 1_000 * PRICE_INPUT + 500 * PRICE_OUTPUT
            == amounts["charge"] + amounts.get("return", 0)
        )
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM transfer WHERE reason = 'grant' AND organisation_id = $1",
            tenant.organisation_id,
        )
        == 1
    )
    assert await broken_invariants(pool) == {}


async def test_random_account_sets_never_deadlock(race, pool, new_tenant, broken_invariants):
    tenants = [new_tenant(key_id=uuid4()) for _ in range(3)]
    crowd = [
        new_tenant(organisation_id=t.organisation_id, team_id=t.team_id, key_id=t.key_id)
        for t in tenants
        for _ in range(3)
    ]
    errors = race(
        "churn",
        chains=[one.chain() for one in crowd],
        ids=[str(uuid4()) for _ in range(10)],
        grant=10**9,
        budget=10**8,
        rounds=60,
    )
    assert errors == [{}] * PROCESSES
    assert (
        await pool.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    )
    assert await broken_invariants(pool) == {}
