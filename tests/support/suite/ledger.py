"""The ledger read straight from the database, so that the services cannot agree on a wrong figure."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

OPEN = "held"


class Ledger:
    """Reads schema billing as the administrator."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of one statement."""

        async def run() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(self._admin_url, timeout=10)
            try:
                return [dict(row) for row in await connection.fetch(statement, *values)]
            finally:
                await connection.close()

        with ThreadPoolExecutor(max_workers=1) as pool:  # the caller may be inside a running loop
            return pool.submit(asyncio.run, run()).result()

    def value(self, statement: str, *values: Any) -> Any:
        """The only column of the only row."""
        (row,) = self.rows(statement, *values)
        (value,) = row.values()
        return value

    def holds(self, user_id: str) -> list[dict[str, Any]]:
        """Every hold of a person, oldest first."""
        return self.rows("SELECT * FROM billing.hold WHERE user_id = $1::uuid ORDER BY created_at", user_id)

    def open_holds(self, user_id: str) -> list[dict[str, Any]]:
        """The holds of a person that have not ended."""
        return [hold for hold in self.holds(user_id) if hold["state"] == OPEN]

    def overdue_holds(self) -> int:
        """Open holds, of anyone, whose time is over."""
        return int(
            self.value(
                "SELECT count(*) FROM billing.hold WHERE state = 'held' AND expires_at < clock_timestamp()"
            )
        )

    def charged_nano(self, user_id: str) -> int:
        """What the ledger's transfers moved for a person's dispatches, from what they could spend to revenue
        or `expired`.
        """
        return int(
            self.value(
                """
                SELECT coalesce(sum(CASE WHEN t.reason IN ('charge', 'expire', 'late_charge') THEN
                t.amount_nano
                                         WHEN t.reason = 'late_refund' THEN -t.amount_nano ELSE 0 END),
                                         0)::bigint
                FROM billing.transfer t JOIN billing.hold h ON h.request_id::text = t.transaction_id
                WHERE h.user_id = $1::uuid
                """,
                user_id,
            )
        )

    def events(self, request_id: str) -> list[dict[str, Any]]:
        """The usage events of one dispatch: one when it was charged, never more."""
        return self.rows("SELECT * FROM billing.usage_event WHERE request_id = $1::uuid", request_id)

    def assert_charged_once_each(self, user_id: str) -> int:
        """Every dispatch of a person has ended, with at most one charge that the transfers confirm; gives the
        sum in nano-USD.
        """
        holds = self.holds(user_id)
        assert not [hold for hold in holds if hold["state"] == OPEN]
        for hold in holds:
            events = self.events(str(hold["request_id"]))
            assert len(events) == (0 if hold["state"] == "released" and not events else 1), hold
            assert sum(event["cost_nano"] for event in events) == hold["cost_nano"]
        total = sum(int(hold["cost_nano"]) for hold in holds)
        assert self.charged_nano(user_id) == total
        return total

    def imbalances(self) -> list[dict[str, Any]]:
        """Accounts whose balance is not the sum of their transfers; there must be none."""
        return self.rows(
            """
            SELECT a.id, a.kind, a.balance_nano, moved.total FROM billing.account a CROSS JOIN LATERAL (
                SELECT coalesce(sum(CASE WHEN t.credit_account = a.id THEN t.amount_nano ELSE -t.amount_nano
                END), 0)::bigint AS total
                FROM billing.transfer t WHERE t.credit_account = a.id OR t.debit_account = a.id) AS moved
            WHERE a.balance_nano <> moved.total
            """
        )
