"""What the rows of files claim there is, for those who compare it with what there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import repository
from retrieval_service.files.models import FileRow

Standing = Literal["ready", "busy", "ended", "deleted"]
"""busy: an attempt waits or works on it. ended: the last attempt failed or was cancelled."""

_STANDINGS: dict[str, Standing] = {"ready": "ready", "failed": "ended", "cancelled": "ended"}


@dataclass(frozen=True, slots=True)
class Claim:
    """One file. `chunk_count` None: not known, because it is not ready."""

    id: UUID
    collection: str
    s3_key: str
    standing: Standing
    attempt: int
    chunk_count: int | None


def _claim(row: FileRow) -> Claim:
    standing: Standing = "deleted" if row.deleted_at is not None else _STANDINGS.get(row.stage, "busy")
    return Claim(row.id, row.collection, row.s3_key, standing, row.attempt, row.chunk_count)


async def page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Claim]:
    """Of all files, tombstones among them, by id."""
    return [_claim(row) for row in await repository.all_after(session, after=after, limit=limit)]


async def of(session: AsyncSession, file_ids: Sequence[UUID]) -> dict[UUID, Claim]:
    """By id; a file that never was, or is gone for good, is absent."""
    return {row.id: _claim(row) for row in await repository.all_of(session, file_ids=file_ids)}


async def known_keys(session: AsyncSession, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that a file or tombstone owns."""
    return await repository.known_keys(session, keys=keys)


async def ingest_again(session: AsyncSession, claim: Claim) -> bool:
    """A new attempt at a ready file whose passages are not what they should be. False: it has
    changed since.
    """
    values = {
        "stage": "queued",
        "attempt": claim.attempt + 1,
        "chunk_count": None,
        "token_count": None,
        "first_point_id": None,
    }
    changed = await repository.change_attempt(
        session, file_id=claim.id, attempt=claim.attempt, stages=("ready",), values=values
    )
    return changed is not None
