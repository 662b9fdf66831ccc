"""What the gateway remembers of credentials it checked: bounded, by the whole credential, dropped
by subject.
"""

from collections import OrderedDict
from dataclasses import dataclass

from shared.clock import monotonic_s

from gateway_service.identity.ports import Identity

REMEMBERED_MAX = 20_000


@dataclass(frozen=True, slots=True)
class _Entry:
    identity: Identity
    good_until_s: float
    subjects: tuple[str, ...]


class IdentityMemory:
    """Credential -> identity. A part of the credential is never a key: two tokens that begin alike are two
    people.
    """

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._by_subject: dict[str, set[bytes]] = {}
        self._remembered_max = remembered_max
        self.epoch = 0
        """Grows with every drop. A lookup that began in an older epoch may have read what is no longer so."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, credential: bytes) -> Identity | None:
        entry = self._entries.get(credential)
        if entry is None:
            return None
        if entry.good_until_s > monotonic_s():
            return entry.identity
        self._remove(credential)
        return None

    def put(
        self,
        credential: bytes,
        identity: Identity,
        *,
        good_for_s: float,
        subjects: tuple[str, ...],
        epoch: int,
    ) -> None:
        """Remembers for `good_for_s`, unless something was dropped since the lookup began in `epoch`."""
        if epoch != self.epoch or good_for_s <= 0:
            return
        self._remove(credential)
        self._entries[credential] = _Entry(identity, monotonic_s() + good_for_s, subjects)
        for subject in subjects:
            self._by_subject.setdefault(subject, set()).add(credential)
        while len(self._entries) > self._remembered_max:
            self._remove(next(iter(self._entries)))

    def drop(self, subject: str) -> None:
        """Forgets every credential of a subject (`user:`, `session:` or `key:` and its id)."""
        self.epoch += 1
        for credential in tuple(self._by_subject.get(subject, ())):
            self._remove(credential)

    def drop_all(self) -> None:
        self.epoch += 1
        self._entries.clear()
        self._by_subject.clear()

    def _remove(self, credential: bytes) -> None:
        entry = self._entries.pop(credential, None)
        if entry is None:
            return
        for subject in entry.subjects:
            credentials = self._by_subject.get(subject)
            if credentials is not None:
                credentials.discard(credential)
                if not credentials:
                    del self._by_subject[subject]
