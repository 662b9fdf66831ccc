"""One of several processes that race or die in the tests: `python race_worker.py MODE JSON`. Prints one JSON
line at its end.

Speaks SQL to the money functions directly: importing the service would cost each process a second of CPU.
"""

import asyncio
import json
import sys
from collections import Counter
from random import Random
from uuid import UUID, uuid4

import asyncpg

MODEL = "qwen2.5-coder-0.5b-instruct"
LANES = 3
RESERVE = (
    "SELECT outcome FROM reserve($1, $2, $3, $4, $5, $6, 'race', 'chat', 1000, 250, 500, 1, 16, 30, $7, $8)"
)
SETTLE = (
    "SELECT result, cost_nano FROM settle($1, ARRAY[$2, 0, 0, 0, $3, 0, 0]::bigint[], 'provider', "
    "'complete', now(), 1)"
)


class Books:
    """The calls of the money path over a few connections."""

    def __init__(self, pool, task):
        self.pool = pool
        self.grant_nano, self.budget_nano = task.get("grant", 5 * 10**9), task.get("budget", 2 * 10**9)

    async def reserve(self, request_id, chain, connection=None):
        ids = [UUID(chain[name]) for name in ("organisation_id", "team_id", "user_id")]
        key_id = UUID(chain["key_id"]) if chain.get("key_id") else None
        arguments = (request_id, *ids, key_id, MODEL, self.grant_nano, self.budget_nano)
        try:
            return await (connection or self.pool).fetchval(RESERVE, *arguments)
        except asyncpg.UniqueViolationError:
            return await (connection or self.pool).fetchval(RESERVE, *arguments)

    async def settle(self, request_id, input_tokens, output_tokens, connection=None):
        return (await (connection or self.pool).fetchrow(SETTLE, request_id, input_tokens, output_tokens))[
            "cost_nano"
        ]


def dice_of(task, lane=0):
    return Random(task["seed"] * 100 + lane)  # noqa: S311 - a repeatable race, not a secret


async def spend(books, task):
    """Reserve as fast as it goes until refused many times; settle, release or abandon what was held."""
    seen = Counter()

    async def lane(number):
        dice = dice_of(task, number)
        for _ in range(task["rounds"]):
            request_id = uuid4()
            outcome = await books.reserve(request_id, dice.choice(task["chains"]))
            seen[outcome] += 1
            fate = dice.random() if outcome == "held" else 1
            if fate < 0.6:
                await books.settle(request_id, dice.randint(0, 1_500), dice.randint(0, 500))
            elif fate < 0.8:
                await books.pool.fetchval("SELECT release($1)", request_id)

    await asyncio.gather(*(lane(number) for number in range(LANES)))
    return dict(seen)


async def same(books, task):
    """Reserve and settle the same dispatches as everybody else, in another order and with other usage."""
    dice = dice_of(task)
    ids = [UUID(text) for text in task["ids"]]
    outcomes, costs = Counter(), {}
    for request_id in dice.sample(ids, len(ids)):
        outcomes[await books.reserve(request_id, task["chains"][0])] += 1
    for request_id in dice.sample(ids, len(ids)):
        costs[str(request_id)] = await books.settle(request_id, dice.randint(1, 1_000), dice.randint(1, 500))
    return {"outcomes": dict(outcomes), "costs": costs}


async def churn(books, task):
    """Every kind of operation on random sets of accounts, budgets and holds at once. Gives the database's
    errors by name.
    """
    known, errors = [UUID(text) for text in task["ids"]], Counter()
    execute = books.pool.execute

    async def step(dice):
        chain, some = dice.choice(task["chains"]), dice.choice(known)
        kind = dice.randrange(8)
        if kind <= 2:
            request_id = some if dice.random() < 0.2 else uuid4()
            known.append(request_id)
            await books.reserve(request_id, chain)
        elif kind == 3:
            await books.settle(some, dice.randint(0, 900), dice.randint(0, 400))
        elif kind == 4:
            await execute("SELECT release($1)", some)
        elif kind == 5:
            picked = dice.sample(known, min(len(known), 8))
            await execute("SELECT checkpoint($1, $2, 30)", picked, [dice.randint(0, 400) for _ in picked])
        elif kind == 6:
            await execute("SELECT expire_hold($1, now() + interval '1 day')", some)
        else:
            who = (
                UUID(chain["organisation_id"]),
                UUID(chain["team_id"]),
                dice.choice(["hour", "day", "month"]),
            )
            await execute(
                "SELECT set_budget($1, 'team', $2, $3, $4, false)", *who, dice.randint(10**6, 10**7)
            )

    async def lane(number):
        dice = dice_of(task, number)
        for _ in range(task["rounds"]):
            try:
                await step(dice)
            except asyncpg.PostgresError as error:
                errors[type(error).__name__] += 1

    await asyncio.gather(*(lane(number) for number in range(LANES)))
    return dict(errors)


async def die(books, task):
    """Stop one connection at each asked step, say so, and wait to be killed."""
    for step, chain in task["steps"].items():
        connection = await asyncpg.connect(task["url"])
        request_id = UUID(chain["request_id"])
        if step == "inside reserve":
            await connection.execute("BEGIN")
        await books.reserve(request_id, chain, connection)
        if step in {"inside settle", "inside expiry", "inside release"}:
            await connection.execute("BEGIN")
        if step in {"inside settle", "after settle"}:
            await books.settle(request_id, 100, 50, connection)
        elif step == "inside expiry":
            await connection.execute("SELECT expire_hold($1, now() + interval '1 day')", request_id)
        elif step == "inside release":
            await connection.execute("SELECT release($1)", request_id)
    print(json.dumps("ready"), flush=True)  # noqa: T201 - the parent waits for this line
    await asyncio.sleep(600)


async def main(mode, task):
    async with asyncpg.create_pool(task["url"], min_size=LANES, max_size=LANES) as pool:
        result = await {"spend": spend, "same": same, "churn": churn, "die": die}[mode](
            Books(pool, task), task
        )
    print(json.dumps(result), flush=True)  # noqa: T201 - the parent reads this line


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
