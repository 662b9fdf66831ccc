"""One look at all places, in the order that makes differences mean something.

A file's row is written before anything else of it and removed after everything else, and passages and vectors
are there before the row says ready. So what rows claim is read before the stores are listed, and what seems
to have no owner is looked up again afterwards.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.db import Database

from retrieval_service.chunks import service as chunks
from retrieval_service.files import inventory
from retrieval_service.files.inventory import Claim
from retrieval_service.objects.port import FILES_PREFIX, ObjectStore, StoredObject
from retrieval_service.vectors.port import VectorStore

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`claims` were read first, `owners` last: of every file that `points` and `passages` name."""

    claims: dict[UUID, Claim]
    passages: dict[UUID, int]
    points: dict[tuple[str, UUID], int]
    objects: dict[str, StoredObject]
    owners: dict[UUID, Claim]
    owned_keys: set[str]


async def take(database: Database, vectors: VectorStore, objects: ObjectStore) -> Snapshot:
    """Raises: Unavailable when a store does not answer: then nothing is known, and nothing must be
    removed.
    """
    claims = await _claims(database)
    passages = await _passages(database)
    points = await vectors.list_files()
    stored = {item.key: item async for item in objects.list(FILES_PREFIX)}
    named = {file_id for _, file_id in points} | set(passages)
    return Snapshot(
        claims, passages, points, stored, await _owners(database, named), await _owned(database, list(stored))
    )


async def _claims(database: Database) -> dict[UUID, Claim]:
    found: dict[UUID, Claim] = {}
    after: UUID | None = None
    while True:
        async with database.transaction() as session:
            page = await inventory.page(session, after=after, limit=_PAGE)
        found |= {claim.id: claim for claim in page}
        if len(page) < _PAGE:
            return found
        after = page[-1].id


async def _passages(database: Database) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    after: UUID | None = None
    while True:
        async with database.transaction() as session:
            page = await chunks.counts_by_file(session, after=after, limit=_PAGE)
        found |= dict(page)
        if len(page) < _PAGE:
            return found
        after = page[-1][0]


async def _owners(database: Database, named: set[UUID]) -> dict[UUID, Claim]:
    ids, found = sorted(named), dict[UUID, Claim]()
    for at in range(0, len(ids), _PAGE):
        async with database.transaction() as session:
            found |= await inventory.of(session, ids[at : at + _PAGE])
    return found


async def _owned(database: Database, keys: list[str]) -> set[str]:
    found = set[str]()
    for at in range(0, len(keys), _PAGE):
        async with database.transaction() as session:
            found |= await inventory.known_keys(session, keys[at : at + _PAGE])
    return found
