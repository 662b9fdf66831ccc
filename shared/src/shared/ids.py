"""The one place identifiers and secrets come from."""

import secrets
import time
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID

_lock = Lock()
_last_ms = 0
_counter = 0


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7), increasing within this process: method 1, a 12-bit counter after the
    milliseconds.
    """
    global _last_ms, _counter  # noqa: PLW0603 - monotonic state of the generator, guarded by the lock
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms, _counter = now_ms, secrets.randbits(11)
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        timestamp_ms, counter = _last_ms, _counter
    value = (
        (timestamp_ms & 0xFFFF_FFFF_FFFF) << 80
        | 0x7 << 76
        | counter << 64
        | 0b10 << 62
        | secrets.randbits(62)
    )
    return UUID(int=value)


def uuid7_floor(at: datetime) -> UUID:
    """The least UUIDv7 of the time `at`: ids made before it are smaller."""
    return UUID(int=(int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | 0b10 << 62)


def made_at(value: UUID) -> datetime:
    """When a UUIDv7 was made. Raises: ValueError for another kind."""
    if value.version != 7:
        raise ValueError("only a UUIDv7 tells when it was made")
    return datetime.fromtimestamp((value.int >> 80) / 1000, UTC)


def random_secret(n_bytes: int = 32) -> str:
    """URL-safe text carrying `n_bytes` of randomness, for keys, tokens and share ids."""
    return secrets.token_urlsafe(n_bytes)
