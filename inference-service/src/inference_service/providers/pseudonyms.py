"""Who asks, as providers are told it: the same person always under the same name, which leads back
to nobody.
"""

import hashlib
import hmac
from uuid import UUID

_SIZE_BYTES = 16


class Pseudonyms:
    """Names by keyed hash. The key is derived from `secret` and never leaves the process."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"atrium: names of people at providers", "sha256")

    def of(self, user_id: UUID | None, provider_id: str) -> str:
        """The name of a person at one provider; two providers cannot compare theirs."""
        return _hash(self._key, f"{provider_id}\0{user_id}")


def cache_key(person: str, given: str | None) -> str:
    """A prompt cache key that is a person's own, still apart by what the client named."""
    return person if given is None else _hash(person.encode(), given)


def _hash(key: bytes, text: str) -> str:
    return hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), key=key, digest_size=_SIZE_BYTES
    ).hexdigest()
