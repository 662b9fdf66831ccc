"""Reserve + settle pairs against a database; run as `python -m benchmarks.reserve_settle URL PAIRS LANES`."""

import asyncio
import sys
import time
from dataclasses import dataclass
from uuid import UUID

from billing_service.entitlements.models import ReservePolicy, bucket_list
from billing_service.entitlements.repository import EntitlementRepository
from billing_service.settings import SCHEMA
from shared.clock import utc_now
from shared.contracts.billing import PrincipalChain, ReserveRequest, UsageBuckets
from shared.db import create_raw_pool
from shared.ids import uuid7
from shared.money import NANO

MODEL = "qwen2.5-coder-0.5b-instruct"
_USAGE = bucket_list(UsageBuckets(input_tokens=120, output_tokens=80))
_ROOMY = ReservePolicy(
    ttl_s=30,
    renewed_ttl_s=10,
    output_tokens_min=16,
    grant_nano=1_000_000 * NANO,
    default_budget_nano=1_000_000 * NANO,
)


@dataclass(frozen=True, slots=True)
class PairsResult:
    """`client_cpu_s` is this process only; add what Postgres' backends used to get the whole cost."""

    pairs: int
    elapsed_s: float
    client_cpu_s: float


def reservation(organisation_id: UUID, user_id: UUID, team_id: UUID) -> ReserveRequest:
    """A small chat request of the built-in model."""
    return ReserveRequest(
        request_id=uuid7(),
        principal=PrincipalChain(user_id=user_id, organisation_id=organisation_id, team_id=team_id),
        model=MODEL,
        provider="builtin",
        input_tokens_max=500,
        output_tokens_max=200,
    )


async def run_pairs(url: str, *, pairs: int, lanes: int = 1, organisations: int = 1) -> PairsResult:
    """Reserve and settle `pairs` dispatches over `lanes` connections, spread over new organisations with
    ample credit.

    Raises: RuntimeError when a pair is refused.
    """
    pool = await create_raw_pool(url, schema=SCHEMA, size_min=lanes, size_max=lanes)
    repository = EntitlementRepository(pool)
    chains = [(uuid7(), uuid7(), uuid7()) for _ in range(organisations)]
    todo = iter(range(pairs))

    async def lane() -> None:
        for number in todo:
            request = reservation(*chains[number % organisations])
            held = await repository.reserve(request, _ROOMY)
            settled = await repository.settle(
                request.request_id,
                _USAGE,
                source="provider",
                outcome="complete",
                occurred_at=utc_now(),
                latency_ms=0,
            )
            if held.outcome != "held" or settled.result != "settled":
                raise RuntimeError(f"a pair was refused: {held.outcome}, {settled.result}")

    try:
        started_s, cpu_s = time.perf_counter(), time.process_time()
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return PairsResult(pairs, time.perf_counter() - started_s, time.process_time() - cpu_s)
    finally:
        await pool.close()


if __name__ == "__main__":
    done = asyncio.run(run_pairs(sys.argv[1], pairs=int(sys.argv[2]), lanes=int(sys.argv[3])))
    sys.stdout.write(
        f"{done.pairs / done.elapsed_s:.0f} pairs/s, {done.client_cpu_s / done.pairs * 1e6:.0f} us of "
        "client CPU a pair\n"
    )
