"""What a vector store must do. A file lives in one collection: that of the knowledge base it was uploaded
into, else its owner's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

DIMENSIONS = 384  # of the built-in all-MiniLM-L6-v2

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk on its way in. `id` is the chunk's; `text` feeds BM25."""

    id: UUID
    collection: str
    organisation_id: UUID
    file_id: UUID
    text: str
    vector: Vector  # [DIMENSIONS], unit length


@dataclass(frozen=True, slots=True)
class Selection:
    """What a search may see of one collection. `file_ids` None: all of it."""

    collection: str
    file_ids: frozenset[UUID] | None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may see at all: decided by SQL, enforced inside the store's own query."""

    organisation_id: UUID
    selections: tuple[Selection, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """A chunk that was found; a higher score is better, scores of two kinds of search do not compare."""

    id: UUID
    score: float


class VectorStore(Protocol):
    """One per process. Writes are on disk (or acknowledged by the server) when they return, and repeating
    them changes nothing.
    """

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self) -> None:
        """Raises: Unavailable when the store does not answer."""
        ...

    async def upsert(self, points: Sequence[Point]) -> None: ...

    async def delete_files(self, collection: str, file_ids: Sequence[UUID]) -> None: ...

    async def search_dense(self, scope: Scope, vector: Vector, limit: int) -> list[Scored]: ...

    async def search_bm25(self, scope: Scope, query: str, limit: int) -> list[Scored]: ...

    async def list_files(self) -> dict[tuple[str, UUID], int]:
        """(collection, file) of everything stored, with the number of points: what the reconciler compares
        with SQL.
        """
        ...
