"""A wallet and a top-up of it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class WalletRow:
    """`available_nano` is free for new holds; `held_nano` belongs to running requests."""

    id: UUID
    organisation_id: UUID
    available_nano: int
    held_nano: int
