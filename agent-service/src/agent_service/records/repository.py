"""All SQL about runs as a whole and the files they made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from agent_service.records.models import FileRow, RunRow

_OPEN = ("queued", "running", "awaiting_approval")


def is_open(row: RunRow) -> bool:
    """Whether the run has not ended."""
    return row.status in _OPEN


def _open() -> ColumnElement[bool]:
    return RunRow.status.in_(_OPEN)


async def add(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Whether the run is new; a run with this id stays as it is."""
    statement = (
        insert(RunRow)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[RunRow.id])
        .returning(RunRow.id)
    )
    return (await session.execute(statement)).first() is not None


async def count_open(session: AsyncSession, *, user_id: UUID) -> int:
    """The person's open runs, under a lock that makes two posts at once count one after the other."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"runs:{user_id}", 0))))
    return (
        await session.execute(select(func.count()).where(RunRow.user_id == user_id, _open()))
    ).scalar_one()


async def get(session: AsyncSession, run_id: UUID) -> RunRow | None:
    return (await session.execute(select(RunRow).where(RunRow.id == run_id))).scalar_one_or_none()


async def get_own(session: AsyncSession, run_id: UUID, *, user_id: UUID, lock: bool = False) -> RunRow | None:
    query = select(RunRow).where(RunRow.id == run_id, RunRow.user_id == user_id)
    return (await session.execute(query.with_for_update() if lock else query)).scalar_one_or_none()


async def list_own(
    session: AsyncSession,
    *,
    user_id: UUID,
    agent_id: UUID | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[RunRow]:
    """Newest first, begun before `before`."""
    query = select(RunRow).where(RunRow.user_id == user_id)
    if agent_id is not None:
        query = query.where(RunRow.agent_id == agent_id)
    if before is not None:
        query = query.where(tuple_(RunRow.created_at, RunRow.id) < before)
    return (
        (await session.execute(query.order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(limit)))
        .scalars()
        .all()
    )


async def claim(session: AsyncSession, run_id: UUID, *, owner: str) -> RunRow | None:
    """Make `owner` the process that writes for an open run; None when it has ended.

    The lock waits for a write of the former owner, whose next one then misses the run.
    """
    query = select(RunRow).where(RunRow.id == run_id, _open()).with_for_update()
    row = (await session.execute(query)).scalar_one_or_none()
    if row is not None:
        row.owner = owner
        if row.status == "queued":
            row.status = "running"
        row.started_at = row.started_at or (await session.execute(select(func.now()))).scalar_one()
        await session.flush()
    return row


async def owns(session: AsyncSession, run_id: UUID, *, owner: str) -> bool:
    """Whether `owner` may still write for the run; it stays so until the transaction ends."""
    query = (
        select(RunRow.id)
        .where(RunRow.id == run_id, RunRow.owner == owner, _open())
        .with_for_update(read=True, key_share=True)
    )
    return (await session.execute(query)).first() is not None


async def change(session: AsyncSession, run_id: UUID, values: Mapping[str, Any]) -> None:
    await session.execute(
        update(RunRow)
        .where(RunRow.id == run_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def end(session: AsyncSession, run_id: UUID, values: Mapping[str, Any]) -> bool:
    """Whether the run was open until now."""
    statement = (
        update(RunRow)
        .where(RunRow.id == run_id, _open())
        .values(**values, ended_at=func.now())
        .returning(RunRow.id)
    )
    return (await session.execute(statement.execution_options(synchronize_session=False))).first() is not None


async def resume_after_approval(session: AsyncSession, run_id: UUID, *, waited_ms: int) -> None:
    """The run continues; the time a person took does not count as its own."""
    statement = update(RunRow).where(RunRow.id == run_id, RunRow.status == "awaiting_approval")
    values = {"status": "running", "approval_wait_ms": RunRow.approval_wait_ms + waited_ms}
    await session.execute(statement.values(**values).execution_options(synchronize_session=False))


async def cancel_requested(session: AsyncSession, run_ids: Sequence[UUID]) -> dict[UUID, str | None]:
    """Those of `run_ids` that are to stop, and why if not because somebody asked for it."""
    query = select(RunRow.id, RunRow.end_reason).where(RunRow.id.in_(run_ids), RunRow.cancel_requested)
    return {row.id: row.end_reason for row in await session.execute(query)}


async def end_access(
    session: AsyncSession, *, user_id: UUID | None, key_id: UUID | None, reason: str
) -> Sequence[UUID]:
    """Have all open runs of the person or key end; those that are not ended yet, which may have been told
    before.
    """
    whose = RunRow.key_id == key_id if key_id is not None else RunRow.user_id == user_id
    statement = (
        update(RunRow)
        .where(whose, _open())
        .values(cancel_requested=True, end_reason=func.coalesce(RunRow.end_reason, reason))
    )
    return (
        (await session.execute(statement.returning(RunRow.id).execution_options(synchronize_session=False)))
        .scalars()
        .all()
    )


async def still_open(session: AsyncSession, run_ids: Sequence[UUID]) -> set[UUID]:
    """Those of `run_ids` that have not ended."""
    return set((await session.execute(select(RunRow.id).where(RunRow.id.in_(run_ids), _open()))).scalars())


async def has_ended(session: AsyncSession, run_id: UUID) -> bool:
    """Whether the run is over, or gone."""
    return (await session.execute(select(RunRow.id).where(RunRow.id == run_id, _open()))).first() is None


async def remove(session: AsyncSession, run_id: UUID) -> None:
    """The run with its steps, events and files."""
    await session.execute(delete(RunRow).where(RunRow.id == run_id))


async def open_since(
    session: AsyncSession, *, age_s: float, after: UUID | None, limit: int
) -> Sequence[RunRow]:
    """Open runs that were begun at least `age_s` ago, by id."""
    query = select(RunRow).where(
        _open(), RunRow.created_at < func.now() - func.make_interval(0, 0, 0, 0, 0, 0, age_s)
    )
    if after is not None:
        query = query.where(RunRow.id > after)
    return (await session.execute(query.order_by(RunRow.id).limit(limit))).scalars().all()


async def add_files(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await session.execute(insert(FileRow).on_conflict_do_nothing(), list(rows))


async def files_size(session: AsyncSession, run_id: UUID) -> int:
    """Bytes of all files of the run."""
    query = text("SELECT coalesce(sum(size_bytes), 0)::bigint FROM run_file WHERE run_id = :run_id")
    return (await session.execute(query, {"run_id": run_id})).scalar_one()


async def get_file(session: AsyncSession, run_id: UUID, file_id: UUID) -> FileRow | None:
    query = select(FileRow).where(FileRow.id == file_id, FileRow.run_id == run_id)
    return (await session.execute(query)).scalar_one_or_none()
