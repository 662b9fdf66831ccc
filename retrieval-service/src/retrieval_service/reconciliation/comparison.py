"""What does not agree in a snapshot. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from retrieval_service.files.inventory import Claim
from retrieval_service.reconciliation.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Differences:
    """`stray_objects` with the time they were written."""

    stray_vectors: list[tuple[str, UUID]]
    stray_passages: list[UUID]
    stray_objects: dict[str, datetime]
    incomplete: list[Claim]
    without_object: list[Claim]

    @property
    def count(self) -> int:
        return sum(
            map(
                len,
                (
                    self.stray_vectors,
                    self.stray_passages,
                    self.stray_objects,
                    self.incomplete,
                    self.without_object,
                ),
            )
        )


def compare(seen: Snapshot) -> Differences:
    ready = [claim for claim in seen.claims.values() if claim.standing == "ready"]
    return Differences(
        stray_vectors=[place for place in seen.points if ownerless(seen.owners.get(place[1]), place[0])],
        stray_passages=[file_id for file_id in seen.passages if ownerless(seen.owners.get(file_id))],
        stray_objects={
            key: item.modified_at for key, item in seen.objects.items() if key not in seen.owned_keys
        },
        incomplete=[claim for claim in ready if not _complete(claim, seen)],
        without_object=[claim for claim in ready if claim.s3_key not in seen.objects],
    )


def ownerless(owner: Claim | None, collection: str | None = None) -> bool:
    """Whether nobody will ever use or remove it: of deleted files the remover does, of busy ones their
    attempt.
    """
    if owner is None or (collection is not None and owner.collection != collection):
        return True
    return owner.standing == "ended"


def _complete(claim: Claim, seen: Snapshot) -> bool:
    """A passage without a vector is never found; a vector without its passage finds nothing."""
    count = seen.passages.get(claim.id, 0)
    return count == claim.chunk_count == seen.points.get((claim.collection, claim.id), 0)
