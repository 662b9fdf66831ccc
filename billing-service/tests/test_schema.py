"""What the database itself refuses: changed history, overlapping prices, tables made by the service, a
missing extension.
"""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from shared.migrations import upgrade

SERVICE_ROOT = Path(__file__).resolve().parent.parent


async def make_entry(pool, tenant):
    await pool.execute("SELECT open_book($1, 1000)", tenant.organisation_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfer SET amount_nano = 1",
        "DELETE FROM transfer",
        "TRUNCATE transfer",
        "UPDATE transfer_default SET amount_nano = 1",
        "UPDATE audit SET action = 'price.set'",
        "DELETE FROM audit",
        "DELETE FROM usage_key",
        "DELETE FROM account",
        "DELETE FROM usage_event",
        "UPDATE price SET input_nano_per_mtok = 0",
        "DELETE FROM price",
        "UPDATE schema_info SET min_code = 9",
    ],
)
async def test_the_service_role_cannot_rewrite_history(pool, tenant, statement):
    await make_entry(pool, tenant)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)


async def test_every_month_of_the_ledger_is_closed_to_changes(pool):
    months = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'transfer'::regclass"
    )
    assert len(months) >= 5
    for month in months:
        for statement in (f"UPDATE {month['name']} SET amount_nano = 1", f"DELETE FROM {month['name']}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)


async def test_partitions_are_made_ahead_without_the_right_to_create_tables(pool):
    await pool.fetchval("SELECT ensure_partitions(7)")
    assert await pool.fetchval("SELECT ensure_partitions(7)") == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("CREATE TABLE mine (id int)")


async def test_entries_reach_the_partition_of_their_month(pool, tenant):
    await make_entry(pool, tenant)
    name = await pool.fetchval(
        "SELECT tableoid::regclass::text FROM transfer WHERE organisation_id = $1", tenant.organisation_id
    )
    assert name == await pool.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', '\"transfer_\"YYYY_MM')")


@pytest.mark.parametrize(
    ("debit", "credit", "amount"), [("wallet", "wallet", 5), ("wallet", "held", 0), ("wallet", "held", -5)]
)
async def test_a_transfer_needs_two_accounts_and_a_positive_amount(pool, tenant, debit, credit, amount):
    await make_entry(pool, tenant)
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(
            "INSERT INTO transfer (organisation_id, debit_account, credit_account, amount_nano, reason,"
            " transaction_id)"
            " SELECT $1, d.id, c.id, $4, 'charge', 'x' FROM account d, account c"
            " WHERE d.organisation_id = $1 AND c.organisation_id = $1 AND d.kind = $2 AND c.kind = $3",
            tenant.organisation_id,
            debit,
            credit,
            amount,
        )


async def test_prices_of_a_model_cannot_overlap(pool):
    insert = (
        "INSERT INTO price (model, input_nano_per_mtok, cache_read_nano_per_mtok, cache_write_nano_per_mtok,"
        " audio_in_nano_per_mtok, output_nano_per_mtok, reasoning_nano_per_mtok, audio_out_nano_per_mtok,"
        " effective_from, effective_to, source)"
        " VALUES ('overlap', 1, 1, 1, 1, 1, 1, 1, $1::text::timestamptz, $2::text::timestamptz, 'admin')"
    )
    await pool.execute(insert, "2026-01-01", "2026-02-01")
    await pool.execute(insert, "2026-02-01", None)
    for begin, end in (("2026-01-31", "2026-02-02"), ("2025-01-01", None), ("2027-01-01", "2028-01-01")):
        with pytest.raises(asyncpg.ExclusionViolationError):
            await pool.execute(insert, begin, end)


async def test_the_default_partitions_stay_empty(pool, tenant):
    await make_entry(pool, tenant)
    assert await pool.fetchval("SELECT count(*) FROM transfer_default") == 0


async def test_a_database_without_the_extension_says_who_makes_it(postgres):
    url = postgres.empty_database()
    assert urlsplit(url).scheme.startswith("postgres")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE SCHEMA billing")
    await connection.close()

    with pytest.raises(RuntimeError, match="btree_gist is missing"):
        await asyncio.to_thread(upgrade, SERVICE_ROOT, url)
