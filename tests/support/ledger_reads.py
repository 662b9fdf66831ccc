"""What the ledger holds, read in tests."""


async def balances(billing, tenant):
    rows = await billing.pool.fetch(
        "SELECT kind, balance_nano FROM account WHERE organisation_id = $1", tenant.organisation_id
    )
    return {row["kind"]: row["balance_nano"] for row in rows}


async def transfers(billing, request_id):
    rows = await billing.pool.fetch(
        "SELECT d.kind AS debit, c.kind AS credit, t.amount_nano, t.reason FROM transfer t JOIN account d ON"
        " d.id = t.debit_account"
        " JOIN account c ON c.id = t.credit_account WHERE t.transaction_id = $1 ORDER BY t.id",
        request_id,
    )
    return [tuple(row) for row in rows]
