"""All SQL about cached vectors."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.ingestion.models import CachedVectorRow


async def cached(session: AsyncSession, *, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    rows = await session.execute(
        select(CachedVectorRow.hash, CachedVectorRow.vector).where(CachedVectorRow.hash.in_(hashes))
    )
    return {row[0]: row[1] for row in rows}


async def touch(
    session: AsyncSession, *, hashes: Sequence[bytes], now: datetime, unless_since: datetime
) -> None:
    """Note the use of those that were not used lately; rows that another one touches right now are as good as
    touched.
    """
    stale = (
        select(CachedVectorRow.hash)
        .where(CachedVectorRow.hash.in_(hashes), CachedVectorRow.used_at < unless_since)
        .with_for_update(skip_locked=True)
    )
    await session.execute(update(CachedVectorRow).where(CachedVectorRow.hash.in_(stale)).values(used_at=now))


async def keep(session: AsyncSession, *, model: str, vectors: Mapping[bytes, bytes], now: datetime) -> None:
    rows = [{"hash": key, "model": model, "vector": vectors[key], "used_at": now} for key in sorted(vectors)]
    await session.execute(insert(CachedVectorRow).on_conflict_do_nothing(), rows)


async def purge(session: AsyncSession, *, unused_since: datetime, rows_max: int, limit: int) -> int:
    """Remove what was not used since, and the longest unused beyond `rows_max`. Returns how many went,
    `limit` at most of each.
    """
    old = select(CachedVectorRow.hash).where(CachedVectorRow.used_at < unused_since).limit(limit)
    spare = (
        select(CachedVectorRow.hash).order_by(CachedVectorRow.used_at.desc()).offset(rows_max).limit(limit)
    )
    gone = 0
    for chosen in (old, spare):
        found = await session.execute(
            delete(CachedVectorRow).where(CachedVectorRow.hash.in_(chosen)).returning(CachedVectorRow.hash)
        )
        gone += len(found.all())
    return gone
