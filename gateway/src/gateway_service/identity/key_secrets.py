"""The shape of an API key and what is stored of it."""

import re
from dataclasses import dataclass
from hashlib import sha256

from shared.auth.tokens import API_KEY_PREFIX
from shared.ids import random_secret

_SECRET_BYTES = 32
_PREFIX_CHARS = len(API_KEY_PREFIX) + 6
_SHAPE = re.compile(rb"atr-[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class KeySecret:
    """A fresh key: `text` goes to its owner once, `digest` and `prefix` stay."""

    text: str
    prefix: str
    digest: bytes


def new_secret() -> KeySecret:
    text = API_KEY_PREFIX + random_secret(_SECRET_BYTES)
    return KeySecret(text=text, prefix=text[:_PREFIX_CHARS], digest=digest(text.encode()))


def well_formed(credential: bytes) -> bool:
    """Whether it can be a key at all; anything else never reaches the database."""
    return _SHAPE.fullmatch(credential) is not None


def digest(key: bytes) -> bytes:
    """SHA-256 of the whole key; 256 random bits need no slow hash."""
    return sha256(key).digest()
