"""Points of a vector store, and what a question may see of them."""

from uuid import UUID, uuid5

import numpy as np
from retrieval_service.vectors.port import DIMENSIONS, Point, Scope, Scored, Selection, Vector

SPACE = UUID("00000000-0000-7000-8000-000000000000")


ORGANISATION = uuid5(SPACE, "organisation")


OTHERS = uuid5(SPACE, "another organisation")


def unit(vector: Vector) -> Vector:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def direction(name: str) -> Vector:
    """A unit vector that depends on the name alone."""
    vector = (
        np.random.default_rng(uuid5(SPACE, name).int % 2**32).standard_normal(DIMENSIONS).astype(np.float32)
    )
    return unit(vector)


def point(
    name: str,
    text: str = "",
    *,
    collection: str = "u-me",
    file: str = "file",
    organisation: UUID = ORGANISATION,
) -> Point:
    return Point(
        uuid5(SPACE, name),
        collection,
        organisation,
        uuid5(SPACE, file),
        text or f"words of {name}",
        direction(name),
    )


def scope(
    *collections: str, organisation: UUID = ORGANISATION, files: tuple[str, ...] | None = None
) -> Scope:
    file_ids = None if files is None else frozenset(uuid5(SPACE, file) for file in files)
    return Scope(organisation, tuple(Selection(name, file_ids) for name in collections))


def ids(found: list[Scored]) -> list[UUID]:
    return [scored.id for scored in found]


def named(*names: str) -> list[UUID]:
    return [uuid5(SPACE, name) for name in names]
