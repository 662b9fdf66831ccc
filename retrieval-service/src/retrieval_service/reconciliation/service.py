"""Looks for what does not agree, heals it, and reports."""

import asyncio
import logging
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.clock import monotonic_s, utc_now
from shared.db import Database

from retrieval_service.chunks import service as chunks
from retrieval_service.files import inventory
from retrieval_service.files.inventory import Claim
from retrieval_service.objects.port import ObjectStore
from retrieval_service.reconciliation import snapshot
from retrieval_service.reconciliation.comparison import Differences, compare, ownerless
from retrieval_service.reconciliation.errors import AlreadyRunning
from retrieval_service.reconciliation.schemas import EXAMPLES_MAX, Finding, Kind, Reconciliation, Report
from retrieval_service.reconciliation.snapshot import Snapshot
from retrieval_service.vectors.port import VectorStore

_HEALED_MAX = 500  # of a kind in one run: the rest is found by the next

log = logging.getLogger(__name__)


class Reconciler:
    """One per process. Vectors and passages carry no time, so the grace of theirs begins when they are first
    seen.
    """

    def __init__(
        self, database: Database, vectors: VectorStore, objects: ObjectStore, *, grace_s: float
    ) -> None:
        self._database = database
        self._vectors = vectors
        self._objects = objects
        self._grace_s = grace_s
        self._first_seen_s: dict[Hashable, float] = {}
        self._turn = asyncio.Lock()
        self._last: Report | None = None

    def state(self) -> Reconciliation:
        return Reconciliation(running=self._turn.locked(), last=self._last)

    async def run(self) -> Report:
        """Compare and heal now. Raises: AlreadyRunning; Unavailable when a store does not answer."""
        if self._turn.locked():
            raise AlreadyRunning
        async with self._turn:
            started_at = utc_now()
            seen = await snapshot.take(self._database, self._vectors, self._objects)
            different = await self._confirmed(compare(seen))
            findings = [finding for finding in await self._heal(different) if finding.count]
            self._last = _report(seen, findings, started_at=started_at, finished_at=utc_now())
        if findings:
            log.warning(
                "files, passages and vectors do not agree",
                extra={one.kind: f"{one.count}, healed {one.healed}" for one in findings},
            )
        return self._last

    async def run_periodically(self) -> None:
        """As `run`; one that was asked for and still runs is as good."""
        if not self._turn.locked():
            await self.run()

    async def _confirmed(self, found: Differences) -> Differences:
        """Without what changed while it was looked at: files that were deleted, read again or tried again."""
        named = {file_id for _, file_id in found.stray_vectors} | set(found.stray_passages)
        named |= {claim.id for claim in (*found.incomplete, *found.without_object)}
        async with self._database.transaction() as session:
            now = await inventory.of(session, list(named))
        return replace(
            found,
            stray_vectors=[
                (name, file_id) for name, file_id in found.stray_vectors if ownerless(now.get(file_id), name)
            ],
            stray_passages=[file_id for file_id in found.stray_passages if ownerless(now.get(file_id))],
            incomplete=[claim for claim in found.incomplete if now.get(claim.id) == claim],
            without_object=[claim for claim in found.without_object if now.get(claim.id) == claim],
        )

    async def _heal(self, different: Differences) -> list[Finding]:
        old_vectors, old_passages = self._old(different)
        for collection, file_id in old_vectors:
            await self._vectors.delete_files(collection, [file_id])
        for file_id in old_passages:
            async with self._database.transaction() as session:
                await chunks.remove(session, file_id)
        old_objects = self._old_objects(different)
        for key in old_objects:
            await self._objects.delete(key)
        readable = [claim for claim in different.incomplete if claim not in different.without_object]
        queued = [claim for claim in readable[:_HEALED_MAX] if await self._ingest_again(claim)]
        return [
            _finding(
                "vectors_without_file",
                [str(file_id) for _, file_id in different.stray_vectors],
                len(old_vectors),
            ),
            _finding("passages_without_file", map(str, different.stray_passages), len(old_passages)),
            _finding("objects_without_file", different.stray_objects, len(old_objects)),
            _finding("file_without_passages", [str(claim.id) for claim in different.incomplete], len(queued)),
            _finding("file_without_object", [str(claim.id) for claim in different.without_object], 0),
        ]

    def _old(self, different: Differences) -> tuple[Sequence[tuple[str, UUID]], Sequence[UUID]]:
        """Vectors and passages that have been without a file for long enough."""
        now_s = monotonic_s()
        seen = [*different.stray_vectors, *different.stray_passages]
        self._first_seen_s = {one: self._first_seen_s.get(one, now_s) for one in seen}
        old = {one for one, first_s in self._first_seen_s.items() if now_s - first_s >= self._grace_s}
        vectors = [place for place in different.stray_vectors if place in old]
        return vectors[:_HEALED_MAX], [file_id for file_id in different.stray_passages if file_id in old][
            :_HEALED_MAX
        ]

    def _old_objects(self, different: Differences) -> list[str]:
        """An object is written before its row, so a young one may still get one."""
        before = utc_now() - timedelta(seconds=self._grace_s)
        return [key for key, written_at in different.stray_objects.items() if written_at <= before][
            :_HEALED_MAX
        ]

    async def _ingest_again(self, claim: Claim) -> bool:
        async with self._database.transaction() as session:
            return await inventory.ingest_again(session, claim)


def _finding(kind: Kind, concerned: Iterable[str], healed: int) -> Finding:
    names = list(concerned)
    return Finding(kind=kind, count=len(names), healed=healed, examples=names[:EXAMPLES_MAX])


def _report(
    seen: Snapshot, findings: list[Finding], *, started_at: datetime, finished_at: datetime
) -> Report:
    return Report(
        started_at=started_at,
        finished_at=finished_at,
        files=len(seen.claims),
        passages=sum(seen.passages.values()),
        points=sum(seen.points.values()),
        objects=len(seen.objects),
        findings=findings,
    )
