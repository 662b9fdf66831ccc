"""All SQL of the periodic jobs."""

from typing import TypeAlias
from uuid import UUID

import asyncpg
from shared.outbox import CHANNEL

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# Each statement sees one snapshot, so a running system never looks broken. The rows it returns are
# violations. What has no end of its own is read for a stretch of time only: each check takes what came since
# the last ones, older days take turns.
INVARIANTS: dict[str, str] = {
    "I1 spent + held <= limit": (
        "SELECT id::text FROM budget_window WHERE spent_nano + held_nano > limit_nano"
    ),
    "I1 no wallet is overdrawn": (
        "SELECT id::text FROM account WHERE kind IN ('wallet', 'held', 'expired') AND balance_nano < 0"
    ),
    "I2 balance = sum of entries": "SELECT b::text FROM check_balances(now() - interval '1 hour') AS b",
    "I2 the books sum to zero": "SELECT 'sum' FROM account HAVING sum(balance_nano) <> 0",
    "I3 one charge per dispatch": """
        WITH recent AS MATERIALIZED (
            SELECT organisation_id, transaction_id, reason, count(*) AS n, min(at) AS first_at FROM transfer
            WHERE at > now() - interval '15 minutes'
              AND reason IN ('hold', 'charge', 'expire', 'late_charge', 'late_confirm', 'release') GROUP BY
              1, 2, 3)
        SELECT r.transaction_id FROM recent r WHERE r.n > 1 OR EXISTS (
            SELECT FROM transfer t WHERE t.organisation_id = r.organisation_id AND t.transaction_id =
            r.transaction_id
            AND t.reason = r.reason AND t.at < r.first_at)""",
    "I4 no hold outlives its time": """
        SELECT request_id::text FROM hold WHERE state = 'held'
        AND clock_timestamp() > greatest(expires_at, pg_postmaster_start_time()) + make_interval(secs => 3 *
        ttl_s + 120)""",
    "I4 held money belongs to open holds": """
        SELECT a.organisation_id::text FROM account a
        LEFT JOIN (SELECT organisation_id, sum(amount_nano) AS held FROM hold WHERE state = 'held' GROUP BY
        1) AS h USING (organisation_id)
        WHERE a.kind = 'held' AND a.balance_nano <> coalesce(h.held, 0)""",
    "I4 held budget belongs to open holds": """
        SELECT w.id::text FROM budget_window w
        LEFT JOIN (SELECT unnest(window_ids) AS id, sum(amount_nano) AS held FROM hold WHERE state = 'held'
        GROUP BY 1) AS h ON h.id = w.id
        WHERE w.held_nano <> coalesce(h.held, 0)""",
    "I5 roll-ups = events": """
        WITH days AS (
            SELECT (now() AT TIME ZONE 'UTC')::date - back AS day
            FROM unnest(ARRAY[0, 1, 2 + (extract(epoch FROM now())::bigint / 300 % 34)::integer]) AS back)
        SELECT d.day || ' ' || x.organisation_id FROM days d CROSS JOIN LATERAL (
            SELECT coalesce(u.organisation_id, e.customer_id)::text AS organisation_id FROM
                (SELECT organisation_id, sum(requests) AS n, sum(cost_nano) AS cost, sum(house_loss_nano) AS
                loss, sum(input_tokens) AS i, sum(output_tokens) AS o FROM usage_rollup WHERE day = d.day
                GROUP BY 1) AS u
            FULL JOIN (SELECT customer_id, count(*) AS n, sum(cost_nano) AS cost, sum(house_loss_nano) AS
            loss, sum(tokens_input) AS i, sum(tokens_output) AS o FROM usage_event
                       WHERE "timestamp" >= d.day::timestamp AT TIME ZONE 'UTC'
                         AND "timestamp" < (d.day + 1)::timestamp AT TIME ZONE 'UTC' GROUP BY 1) AS e
                ON e.customer_id = u.organisation_id
            WHERE (u.n, u.cost, u.loss, u.i, u.o) IS DISTINCT FROM (e.n, e.cost, e.loss, e.i, e.o)) AS x""",
    "I5 roll-ups = ledger": """
        SELECT organisation_id::text
        FROM (SELECT organisation_id, sum(cost) AS cost, sum(loss) AS loss FROM (
                  SELECT organisation_id, cost_nano AS cost, house_loss_nano AS loss FROM usage_rollup
                  UNION ALL SELECT organisation_id, cost_nano, 0 FROM external_usage WHERE charged) AS u
                  GROUP BY 1) AS e
        JOIN (SELECT organisation_id, sum(balance_nano) FILTER (WHERE kind IN ('usage_revenue', 'expired'))
        AS earned, sum(balance_nano) FILTER (WHERE kind = 'house_loss') AS loss FROM account GROUP BY 1) AS
                     a USING (organisation_id)
        WHERE a.earned <> e.cost + e.loss OR a.loss <> -e.loss""",
    # What a CHECK of its table holds for each row needs no reading of the rows.
    "I6 and I12 the database enforces them": """
        SELECT n FROM unnest(ARRAY['hold_charge_within_hold', 'usage_event_input_sums',
        'usage_event_output_sums',
        'transfer_amount_positive', 'budget_window_within_limit', 'account_never_overdrawn']) AS n
        WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = n AND c.convalidated AND c.conenforced
                          AND c.connamespace = current_schema()::regnamespace)""",
}
_VIOLATIONS_SHOWN_MAX = 20
_EVENTS_MAX = 500


class JobRepository:
    """One connection of the pool a call."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def overdue_holds(self, *, ttl_s: float, rows_max: int) -> list[UUID]:
        return [row[0] for row in await self._pool.fetch("SELECT overdue_holds($1, $2)", ttl_s, rows_max)]

    async def expire_hold(self, dispatch_id: UUID) -> bool:
        """False: renewed, ended or being settled meanwhile."""
        return await self._pool.fetchval("SELECT expire_hold($1)", dispatch_id)

    async def publish_outbox(self) -> None:
        """Publish what is in the outbox, until nothing is left."""
        while await self._pool.fetchval("SELECT publish_outbox($1, $2)", CHANNEL, _EVENTS_MAX) == _EVENTS_MAX:
            pass

    async def ensure_partitions(self, months: int) -> int:
        return await self._pool.fetchval("SELECT ensure_partitions($1)", months)

    async def begin_checks(self, *, interval_s: float) -> bool:
        """Whether this process is the one that checks now."""
        return bool(await self._pool.fetchval("SELECT begin_checks($1)", interval_s))

    async def violations(self, invariant: str) -> list[str]:
        """Ids of rows that break `invariant`, some of them at most."""
        rows = await self._pool.fetch(f"{INVARIANTS[invariant]} LIMIT {_VIOLATIONS_SHOWN_MAX}", timeout=120)
        return [row[0] for row in rows]
