"""Whose file is read next. Pure.

A process has places for `concurrency` files of any kind, of which one person never has all when there are
several, and one more place for a small file of somebody who has none under way: a large file, or the thousand
of another, is nothing it has to wait for.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final
from uuid import UUID

SMALL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file whose attempt nobody has begun."""

    file_id: UUID
    attempt: int
    user_id: UUID


@dataclass(frozen=True, slots=True)
class _Held:
    user_id: UUID | None
    express: bool


class Places:
    """What this process has under way: one more than `concurrency` at most, but for what continues after a
    crash.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._of_one_max = max(1, concurrency - 1)
        self._held: dict[UUID, _Held] = {}

    def take(self, file: WaitingFile, *, express: bool) -> None:
        self._held[file.file_id] = _Held(file.user_id, express)

    def leave_all_but(self, running: Set[UUID]) -> None:
        """A file has its place for as long as it runs here, and no longer."""
        for file_id in self._held.keys() - running:
            del self._held[file_id]

    def without_place(self, running: Set[UUID]) -> Set[UUID]:
        """Of what runs here: it continues after a crash."""
        return running - self._held.keys()

    def adopt(self, file_id: UUID, user_id: UUID | None) -> None:
        """A place for what runs without one, whoever owns it; there may be more of it than places."""
        self._held[file_id] = _Held(user_id, express=False)

    def free(self) -> bool:
        taken = sum(not held.express for held in self._held.values())
        return not self._full() and taken < self._concurrency

    def free_for(self, user_id: UUID) -> bool:
        return (
            sum(held.user_id == user_id and not held.express for held in self._held.values())
            < self._of_one_max
        )

    def express_free(self) -> bool:
        return not self._full() and not any(held.express for held in self._held.values())

    def _full(self) -> bool:
        """Behind what continues after a crash nothing begun would get anywhere."""
        return len(self._held) > self._concurrency


def next_file(
    first: Sequence[WaitingFile],
    small: Sequence[WaitingFile],
    *,
    places: Places,
    active: Mapping[UUID, int],
    served: Callable[[UUID], int],
) -> tuple[WaitingFile, bool] | None:
    """The file that is begun now, and whether in the place of the small ones.

    `first` and `small`: of each person the first file, and the first small one. `active`: files under way by
    person, of all processes. `served`: larger for who was served later.
    """

    def order(file: WaitingFile) -> tuple[int, int, UUID]:
        return active.get(file.user_id, 0), served(file.user_id), file.file_id

    if places.free() and (allowed := [file for file in first if places.free_for(file.user_id)]):
        return min(allowed, key=order), False
    if places.express_free() and (quick := [file for file in small if not active.get(file.user_id)]):
        return min(quick, key=order), True
    return None
