"""All SQL of prices. Rows are only added; a newer price ends the range of the one before it."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.pricing.models import PriceAmounts
from billing_service.pricing.schemas import Price

_COLUMNS = (
    "id, model, free, input_nano_per_mtok, cache_read_nano_per_mtok, cache_write_nano_per_mtok,"
    " audio_in_nano_per_mtok, output_nano_per_mtok, reasoning_nano_per_mtok, audio_out_nano_per_mtok,"
    " effective_from, effective_to, source, created_by, created_at"
)
_LIST = text(
    f"SELECT {_COLUMNS} FROM price WHERE (:history OR effective_to IS NULL OR effective_to > now())"  # noqa: S608 - a constant of this module
    " AND (CAST(:model AS text) IS NULL OR model = :model) AND (CAST(:after AS text) IS NULL OR (model,"
    " effective_from, id) > (SELECT model, effective_from, id FROM price WHERE id = CAST(:after AS uuid)))"
    " ORDER BY model, effective_from, id LIMIT :n"
)
_INSERT = text("""
    INSERT INTO price (model, free, input_nano_per_mtok, cache_read_nano_per_mtok, cache_write_nano_per_mtok,
    audio_in_nano_per_mtok, output_nano_per_mtok, reasoning_nano_per_mtok, audio_out_nano_per_mtok,
    effective_from, effective_to, source, created_by)
    VALUES (:model, :free, :input_nano_per_mtok, :cache_read_nano_per_mtok, :cache_write_nano_per_mtok,
    :audio_in_nano_per_mtok, :output_nano_per_mtok, :reasoning_nano_per_mtok, :audio_out_nano_per_mtok,
    :effective_from, (SELECT min(effective_from) FROM price WHERE model = :model AND effective_from >
    :effective_from), 'admin', :created_by)
    RETURNING *
""")
_AT = text(
    # A constant of this module.
    f"SELECT {_COLUMNS} FROM price WHERE model = :model AND effective_from <= :at"  # noqa: S608
    " AND (effective_to IS NULL OR effective_to > :at)"
)
_CLOSE = text("UPDATE price SET effective_to = :at WHERE id = :id")


async def lock_model(session: AsyncSession, model: str) -> datetime:
    """One change of a model's prices at a time, until the transaction ends. Returns the database's clock."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('price:' || :model))"), {"model": model}
    )
    return (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()


async def list_prices(
    session: AsyncSession, *, model: str | None, history: bool, after_id: UUID | None, rows_max: int
) -> list[Price]:
    """In force or planned, with `history` also what was; by model, then by begin."""
    after = str(after_id) if after_id else None
    rows = await session.execute(_LIST, {"model": model, "history": history, "after": after, "n": rows_max})
    return [Price.model_validate(row, from_attributes=True) for row in rows]


async def price_at(session: AsyncSession, model: str, at: datetime) -> Price | None:
    row = (await session.execute(_AT, {"model": model, "at": at})).one_or_none()
    return Price.model_validate(row, from_attributes=True) if row else None


async def close(session: AsyncSession, price_id: UUID, at: datetime) -> None:
    """End a price's range; its amounts stay."""
    await session.execute(_CLOSE, {"id": price_id, "at": at})


async def insert(
    session: AsyncSession,
    *,
    model: str,
    free: bool,
    amounts: PriceAmounts,
    effective_from: datetime,
    created_by: UUID | None,
) -> Price:
    """A price that holds until the next planned one begins."""
    values = {
        "model": model,
        "free": free,
        "effective_from": effective_from,
        "created_by": created_by,
        **asdict(amounts),
    }
    return Price.model_validate((await session.execute(_INSERT, values)).one(), from_attributes=True)
