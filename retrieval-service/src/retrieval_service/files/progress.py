"""How an ingestion moves its file on. Each call is conditional on the attempt, so that a file that was
deleted, cancelled or tried
again meanwhile is never brought back. The caller owns the transaction.

queued -> parsing -> embedding -> ready, or failed; a cancelled or deleted one ends by `acknowledge`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from shared.auth.principal import Principal
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import repository
from retrieval_service.files.models import FileRow

ERROR_DETAIL_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class FileWork:
    """What an ingestion knows of its file."""

    id: UUID
    attempt: int
    organisation_id: UUID
    user_id: UUID
    principal: Principal
    filename: str
    content_type: str
    size_bytes: int
    sha256: str
    s3_key: str
    collection: str


def _work(row: FileRow) -> FileWork:
    return FileWork(
        id=row.id,
        attempt=row.attempt,
        organisation_id=row.organisation_id,
        user_id=row.user_id,
        principal=Principal.from_claims(row.principal),
        filename=row.filename,
        content_type=row.content_type,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        s3_key=row.s3_key,
        collection=row.collection,
    )


async def claim(session: AsyncSession, file_id: UUID, attempt: int) -> FileWork | None:
    """Begin parsing, or go on with this attempt after a crash. None: leave it (and call `acknowledge`)."""
    values = {"stage": "parsing", "progress_done": None, "progress_total": None, "progress_unit": None}
    row = await repository.change_attempt(
        session, file_id=file_id, attempt=attempt, stages=("queued", "parsing"), values=values
    )
    row = row or await repository.get_attempt(session, file_id=file_id, attempt=attempt)
    return None if row is None else _work(row)


async def wanted(session: AsyncSession, file_id: UUID, attempt: int) -> FileWork | None:
    """The file while this attempt should go on; None: stop, remove what was written, then `acknowledge`."""
    row = await repository.get_attempt(session, file_id=file_id, attempt=attempt)
    return None if row is None else _work(row)


async def advance(
    session: AsyncSession,
    file_id: UUID,
    attempt: int,
    *,
    stage: Literal["parsing", "embedding"],
    done: int,
    total: int | None,
    unit: Literal["bytes", "pages", "chunks"],
    page_count: int | None = None,
) -> bool:
    """Note progress; stages only go forward. False: stop, as for `wanted`."""
    values: dict[str, Any] = {
        "stage": stage,
        "progress_done": done,
        "progress_total": total,
        "progress_unit": unit,
    }
    if page_count is not None:
        values["page_count"] = page_count
    stages = ("parsing",) if stage == "parsing" else ("parsing", "embedding")
    return (
        await repository.change_attempt(
            session, file_id=file_id, attempt=attempt, stages=stages, values=values
        )
        is not None
    )


async def finish(
    session: AsyncSession,
    file_id: UUID,
    attempt: int,
    *,
    page_count: int | None,
    chunk_count: int,
    token_count: int,
    first_point_id: UUID | None,
) -> bool:
    """Show the file to its readers; repeating it changes nothing. False: stop, as for `wanted`."""
    values: dict[str, Any] = {
        "stage": "ready",
        "page_count": page_count,
        "chunk_count": chunk_count,
        "token_count": token_count,
        "first_point_id": first_point_id,
        "progress_done": None,
        "progress_total": None,
        "progress_unit": None,
        "error_code": None,
        "error_detail": None,
    }
    stages = ("parsing", "embedding", "ready")
    return (
        await repository.change_attempt(
            session, file_id=file_id, attempt=attempt, stages=stages, values=values
        )
        is not None
    )


async def fail(session: AsyncSession, file_id: UUID, attempt: int, *, code: str, detail: str) -> bool:
    """The attempt ends; `detail` tells the person what to do. False: as for `wanted`."""
    values = {"stage": "failed", "error_code": code, "error_detail": detail[:ERROR_DETAIL_CHARS_MAX]}
    values |= dict.fromkeys(("progress_done", "progress_total", "progress_unit"))
    stages = ("queued", "parsing", "embedding", "failed")
    return (
        await repository.change_attempt(
            session, file_id=file_id, attempt=attempt, stages=stages, values=values
        )
        is not None
    )


async def begun(session: AsyncSession, file_id: UUID, attempt: int) -> FileWork | None:
    """The file this attempt has begun and not ended, even when it should stop: whose passages and vectors are
    the attempt's to remove.
    """
    row = await repository.get_active(session, file_id=file_id, attempt=attempt)
    return None if row is None else _work(row)


async def unfinished(
    session: AsyncSession, *, quiet_before: datetime, limit: int
) -> list[tuple[UUID, int, datetime]]:
    """(file, attempt, last change) of ingestions that were begun and have said nothing since `quiet_before`,
    oldest first.
    """
    return await repository.unfinished(session, quiet_before=quiet_before, limit=limit)


async def acknowledge(session: AsyncSession, file_id: UUID, attempt: int) -> bool:
    """An attempt that is not wanted any more has stopped and has removed what it wrote: the file is
    cancelled, or its tombstone free.
    """
    return await repository.end_unwanted(session, file_id=file_id, attempt=attempt)
