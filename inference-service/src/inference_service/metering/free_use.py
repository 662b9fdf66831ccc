"""How much one person may use models that cost nothing: no budget bounds them, and the machine behind them is
shared.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from uuid import UUID

from shared.clock import monotonic_s
from shared.errors import TooManyRequests

_WINDOW_S = 60.0
_PEOPLE_MAX = 10_000


class FreeUse:
    """Counts per person within this process. Which models are free is learnt from billing's answers."""

    def __init__(self, *, parallel_max: int, per_minute_max: int) -> None:
        self._parallel_max = parallel_max
        self._per_minute_max = per_minute_max
        self._free: set[str] = set()
        self._begun_s: OrderedDict[UUID | None, deque[float]] = OrderedDict()

    def knows(self, model: str) -> bool:
        """Whether `model` was free when it was last asked for."""
        return model in self._free

    def learn(self, model: str, *, free: bool) -> None:
        if free:
            self._free.add(model)
        else:
            self._free.discard(model)

    def take(self, person: UUID | None, running: Iterable[UUID | None]) -> None:
        """Count one more answer; `running`: whose answers of free models run now. Raises: TooManyRequests,
        then nothing is counted.
        """
        if sum(1 for other in running if other == person) >= self._parallel_max:
            text = f"{self._parallel_max} answers of free models are running for you; wait for one to end"
            raise TooManyRequests(text, code="free_model_limit", retry_after_s=1)
        now_s = monotonic_s()
        begun = self._begun_s.setdefault(person, deque())
        self._begun_s.move_to_end(person)
        while begun and begun[0] <= now_s - _WINDOW_S:
            begun.popleft()
        if len(begun) >= self._per_minute_max:
            wait_s = int(begun[0] + _WINDOW_S - now_s) + 1
            text = (
                f"free models answer one person {self._per_minute_max} times a minute; try again in "
                f"{wait_s} s"
            )
            raise TooManyRequests(text, code="free_model_limit", retry_after_s=wait_s)
        begun.append(now_s)
        while len(self._begun_s) > _PEOPLE_MAX:
            self._begun_s.popitem(last=False)

    def give_back(self, person: UUID | None) -> None:
        """The answer that was counted last did not come about."""
        if begun := self._begun_s.get(person):
            begun.pop()
