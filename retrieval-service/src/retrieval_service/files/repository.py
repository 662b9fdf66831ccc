"""All SQL about files."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.clock import utc_now
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files.models import FileRow
from retrieval_service.files.turns import WaitingFile

_ACTIVE = ("parsing", "embedding")
_PERSONS_MAX = 1_000
_ONE = literal_column("1", Integer)  # written out: of a parameter the planner expects a tenth of all rows
_ALIVE = FileRow.deleted_at.is_(None)
# Written out, as their indexes have them: of a parameter the planner does not know that it is one of these.
_WAITING = and_(text("file.stage = 'queued'"), text("file.enqueued_attempt < file.attempt"), _ALIVE)
_UNFINISHED = text("file.stage IN ('queued', 'parsing', 'embedding')")
_BEGUN = text("(file.stage <> 'queued' OR file.enqueued_attempt >= file.attempt)")


def _own(*, user_id: UUID, organisation_id: UUID) -> ColumnElement[bool]:
    return and_(_ALIVE, FileRow.user_id == user_id, FileRow.organisation_id == organisation_id)


def _visible(*, user_id: UUID, organisation_id: UUID, linked: Select[UUID]) -> ColumnElement[bool]:
    """Own files at any stage; others only when they are ready and in `linked`, the files of readable
    knowledge bases.
    """
    shared = and_(
        _ALIVE, FileRow.organisation_id == organisation_id, FileRow.stage == "ready", FileRow.id.in_(linked)
    )
    return or_(_own(user_id=user_id, organisation_id=organisation_id), shared)


async def add(session: AsyncSession, row: FileRow) -> None:
    session.add(row)
    await session.flush()


async def get_own(
    session: AsyncSession, *, file_id: UUID, user_id: UUID, organisation_id: UUID, lock: bool
) -> FileRow | None:
    query = select(FileRow).where(
        FileRow.id == file_id, _own(user_id=user_id, organisation_id=organisation_id)
    )
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def visible(
    session: AsyncSession,
    *,
    file_ids: Sequence[UUID],
    user_id: UUID,
    organisation_id: UUID,
    linked: Select[UUID],
) -> Sequence[FileRow]:
    """Those of `file_ids` that this person may see."""
    seen = _visible(user_id=user_id, organisation_id=organisation_id, linked=linked)
    return (await session.execute(select(FileRow).where(FileRow.id.in_(file_ids), seen))).scalars().all()


async def list_own(
    session: AsyncSession,
    *,
    user_id: UUID,
    organisation_id: UUID,
    stage: str | None,
    before: UUID | None,
    limit: int,
) -> Sequence[FileRow]:
    """Newest first, strictly older than `before`; ids are ordered by time."""
    return await _page(
        session,
        _own(user_id=user_id, organisation_id=organisation_id),
        stage=stage,
        before=before,
        limit=limit,
    )


async def list_linked(
    session: AsyncSession,
    *,
    user_id: UUID,
    organisation_id: UUID,
    linked: Select[UUID],
    stage: str | None,
    before: UUID | None,
    limit: int,
) -> Sequence[FileRow]:
    """As `list_own`, of the visible files among `linked`."""
    seen = and_(
        FileRow.id.in_(linked), _visible(user_id=user_id, organisation_id=organisation_id, linked=linked)
    )
    return await _page(session, seen, stage=stage, before=before, limit=limit)


async def _page(
    session: AsyncSession,
    condition: ColumnElement[bool],
    *,
    stage: str | None,
    before: UUID | None,
    limit: int,
) -> Sequence[FileRow]:
    query = select(FileRow).where(condition)
    if stage is not None:
        query = query.where(FileRow.stage == stage)
    if before is not None:
        query = query.where(FileRow.id < before)
    return (await session.execute(query.order_by(FileRow.id.desc()).limit(limit))).scalars().all()


async def ready_own(
    session: AsyncSession, *, user_id: UUID, organisation_id: UUID, limit: int
) -> list[tuple[UUID, str]]:
    """(file, collection) of the person's ready files."""
    condition = and_(_own(user_id=user_id, organisation_id=organisation_id), FileRow.stage == "ready")
    return await _places(session, condition, limit=limit)


async def ready_of(
    session: AsyncSession,
    *,
    organisation_id: UUID,
    file_ids: Sequence[UUID],
    linked: Select[UUID],
    limit: int,
) -> list[tuple[UUID, str]]:
    """(file, collection) of the ready files among `file_ids` and `linked`; the caller has decided that both
    are visible.
    """
    named = or_(FileRow.id.in_(file_ids), FileRow.id.in_(linked))
    return await _places(
        session,
        and_(_ALIVE, FileRow.organisation_id == organisation_id, FileRow.stage == "ready", named),
        limit=limit,
    )


async def _places(
    session: AsyncSession, condition: ColumnElement[bool], *, limit: int
) -> list[tuple[UUID, str]]:
    rows = await session.execute(select(FileRow.id, FileRow.collection).where(condition).limit(limit))
    return [(row[0], row[1]) for row in rows]


async def names_of(session: AsyncSession, *, file_ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = await session.execute(select(FileRow.id, FileRow.filename).where(FileRow.id.in_(file_ids), _ALIVE))
    return {row[0]: row[1] for row in rows}


async def own_collections(session: AsyncSession, *, user_id: UUID, organisation_id: UUID) -> Sequence[str]:
    """The collections that the person's ready files lie in: their own, and those of their knowledge bases."""
    condition = and_(_own(user_id=user_id, organisation_id=organisation_id), FileRow.stage == "ready")
    return (
        (
            await session.execute(
                select(FileRow.collection).where(condition).distinct().order_by(FileRow.collection)
            )
        )
        .scalars()
        .all()
    )


async def ready_names(
    session: AsyncSession, *, file_ids: Sequence[UUID], user_id: UUID, organisation_id: UUID
) -> dict[UUID, str]:
    condition = and_(
        _own(user_id=user_id, organisation_id=organisation_id),
        FileRow.stage == "ready",
        FileRow.id.in_(file_ids),
    )
    return {
        row[0]: row[1] for row in await session.execute(select(FileRow.id, FileRow.filename).where(condition))
    }


async def end_of_person(
    session: AsyncSession, *, user_id: UUID | None, key_id: UUID | None, code: str, detail: str
) -> list[tuple[UUID, int]]:
    """Ask what is not done of a person, or of a key, to stop, with the reason; what waits is stopped. (file,
    attempt) of all of them.
    """
    whose = FileRow.user_id == user_id if key_id is None else FileRow.principal["key"].astext == str(key_id)
    reason = {"error_code": code, "error_detail": detail, "updated_at": utc_now()}
    waiting = (
        update(FileRow)
        .where(_UNFINISHED, whose, FileRow.stage == "queued")
        .values(stage="cancelled", **reason)
    )
    running = update(FileRow).where(_UNFINISHED, whose, FileRow.stage != "queued", ~FileRow.cancel_requested)
    ended: list[tuple[UUID, int]] = []
    for statement in (waiting, running.values(cancel_requested=True, **reason)):
        rows = await session.execute(
            statement.returning(FileRow.id, FileRow.attempt).execution_options(synchronize_session=False)
        )
        ended += [(row[0], row[1]) for row in rows]
    return ended


async def change_attempt(
    session: AsyncSession, *, file_id: UUID, attempt: int, stages: Sequence[str], values: dict[str, Any]
) -> FileRow | None:
    """The changed file; None when it is deleted, to be cancelled, at another stage or in another attempt."""
    statement = (
        update(FileRow)
        .where(
            FileRow.id == file_id,
            FileRow.attempt == attempt,
            FileRow.stage.in_(stages),
            _ALIVE,
            ~FileRow.cancel_requested,
        )
        .values(**values, updated_at=utc_now())
        .returning(FileRow)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def get_attempt(session: AsyncSession, *, file_id: UUID, attempt: int) -> FileRow | None:
    """The file while this attempt may go on with it."""
    query = select(FileRow).where(
        FileRow.id == file_id,
        FileRow.attempt == attempt,
        FileRow.stage.in_(_ACTIVE),
        _ALIVE,
        ~FileRow.cancel_requested,
    )
    return (await session.execute(query)).scalar_one_or_none()


async def get_active(session: AsyncSession, *, file_id: UUID, attempt: int) -> FileRow | None:
    """The file this attempt has begun and not ended, deleted or to be cancelled as it may be."""
    query = select(FileRow).where(
        FileRow.id == file_id, FileRow.attempt == attempt, FileRow.stage.in_(_ACTIVE)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def unfinished(
    session: AsyncSession, *, quiet_before: datetime, limit: int
) -> list[tuple[UUID, int, datetime]]:
    """(file, attempt, last change) of ingestions that were begun and have said nothing since."""
    query = select(FileRow.id, FileRow.attempt, FileRow.updated_at).where(
        _UNFINISHED, _BEGUN, FileRow.updated_at < quiet_before
    )
    return [
        (row[0], row[1], row[2])
        for row in await session.execute(query.order_by(FileRow.updated_at).limit(limit))
    ]


async def end_unwanted(session: AsyncSession, *, file_id: UUID, attempt: int) -> bool:
    """An attempt that was cancelled, or whose file was deleted, has stopped. Whether there was one."""
    unwanted = or_(FileRow.cancel_requested, FileRow.deleted_at.is_not(None))
    statement = (
        update(FileRow)
        .where(FileRow.id == file_id, FileRow.attempt == attempt, FileRow.stage.in_(_ACTIVE), unwanted)
        .values(
            stage="cancelled",
            cancel_requested=False,
            progress_done=None,
            progress_total=None,
            progress_unit=None,
            updated_at=utc_now(),
        )
        .returning(FileRow.id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def change(session: AsyncSession, *, file_id: UUID, values: dict[str, Any]) -> None:
    """For a file that the caller has locked."""
    await session.execute(update(FileRow).where(FileRow.id == file_id).values(**values, updated_at=utc_now()))


async def mark_deleted(session: AsyncSession, *, file_ids: Sequence[UUID], now: datetime) -> None:
    await session.execute(
        update(FileRow).where(FileRow.id.in_(file_ids), _ALIVE).values(deleted_at=now, updated_at=now)
    )


async def waiting(session: AsyncSession, *, bytes_max: int | None = None) -> list[WaitingFile]:
    """Of each person the first file that no workflow was started for, of `bytes_max` at most; the longest
    waiting persons.

    One step of the index for each person: DISTINCT ON would read all that waits, 200,000 rows of 40 people
    for every file that is begun.
    """
    condition = _WAITING if bytes_max is None else and_(_WAITING, FileRow.size_bytes <= bytes_max)
    columns = (
        select(FileRow.id, FileRow.attempt, FileRow.user_id)
        .where(condition)
        .order_by(FileRow.user_id, FileRow.id)
        .limit(_ONE)
    )
    found = columns.cte("found", recursive=True)
    later = columns.where(FileRow.user_id > found.c.user_id).correlate(found).lateral("later")
    found = found.union_all(
        select(later.c.id, later.c.attempt, later.c.user_id).select_from(found.join(later, true()))
    )
    rows = await session.execute(
        select(found.c.id, found.c.attempt, found.c.user_id).order_by(found.c.id).limit(_PERSONS_MAX)
    )
    return [WaitingFile(row[0], row[1], row[2]) for row in rows]


async def owners(session: AsyncSession, *, file_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Whose these files are, deleted ones too."""
    rows = await session.execute(select(FileRow.id, FileRow.user_id).where(FileRow.id.in_(file_ids)))
    return {row[0]: row[1] for row in rows}


async def lock_waiting(session: AsyncSession, *, file_id: UUID, attempt: int) -> bool:
    """Whether it still waits and nobody else is at it; it is the caller's until the transaction ends."""
    query = (
        select(FileRow.id)
        .where(FileRow.id == file_id, FileRow.attempt == attempt, _WAITING)
        .with_for_update(skip_locked=True)
    )
    return (await session.execute(query)).scalar_one_or_none() is not None


async def active_by_person(session: AsyncSession) -> dict[UUID, int]:
    """How many files of each person were begun and have not ended."""
    rows = await session.execute(
        select(FileRow.user_id, func.count()).where(_UNFINISHED, _BEGUN).group_by(FileRow.user_id)
    )
    return {row[0]: row[1] for row in rows}


async def note_enqueued(session: AsyncSession, *, file_id: UUID, attempt: int) -> None:
    """From now on its silence counts, which until now was waiting."""
    statement = update(FileRow).where(FileRow.id == file_id, FileRow.enqueued_attempt < attempt)
    await session.execute(statement.values(enqueued_attempt=attempt, updated_at=utc_now()))


async def tombstones(
    session: AsyncSession, *, stuck_before: datetime, limit: int
) -> list[tuple[UUID, str, str]]:
    """(file, collection, key) of deleted files that no attempt works on any more, or whose attempt never said
    it stopped.
    """
    quiet = or_(FileRow.stage.not_in(_ACTIVE), FileRow.deleted_at < stuck_before)
    query = select(FileRow.id, FileRow.collection, FileRow.s3_key).where(
        FileRow.deleted_at.is_not(None), quiet
    )
    return [
        (row[0], row[1], row[2])
        for row in await session.execute(query.order_by(FileRow.deleted_at).limit(limit))
    ]


async def remove(session: AsyncSession, *, file_id: UUID) -> None:
    await session.execute(delete(FileRow).where(FileRow.id == file_id, FileRow.deleted_at.is_not(None)))


async def usage(session: AsyncSession, *, user_id: UUID) -> tuple[int, int]:
    """Files and bytes the person holds."""
    query = select(func.count(), func.coalesce(func.sum(FileRow.size_bytes), 0)).where(
        FileRow.user_id == user_id, _ALIVE
    )
    count, size_bytes = (await session.execute(query)).one()
    return count, int(size_bytes)


async def lock_quota(session: AsyncSession, *, user_id: UUID) -> None:
    """Until the transaction ends, nobody else adds to what this person holds."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"file-quota:{user_id}"}
    )


async def known_keys(session: AsyncSession, *, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that a file or tombstone owns."""
    return set((await session.execute(select(FileRow.s3_key).where(FileRow.s3_key.in_(keys)))).scalars())


async def own_in(
    session: AsyncSession, *, user_id: UUID, organisation_id: UUID, linked: Select[UUID]
) -> Sequence[UUID]:
    query = select(FileRow.id).where(
        _own(user_id=user_id, organisation_id=organisation_id), FileRow.id.in_(linked)
    )
    return (await session.execute(query)).scalars().all()


async def all_after(session: AsyncSession, *, after: UUID | None, limit: int) -> Sequence[FileRow]:
    """Files and tombstones by id."""
    query = select(FileRow).order_by(FileRow.id).limit(limit)
    return (
        (await session.execute(query if after is None else query.where(FileRow.id > after))).scalars().all()
    )


async def all_of(session: AsyncSession, *, file_ids: Sequence[UUID]) -> Sequence[FileRow]:
    """Files and tombstones."""
    return (await session.execute(select(FileRow).where(FileRow.id.in_(file_ids)))).scalars().all()
