"""How one refresh token follows another.

A successor is HMAC-SHA256 of its predecessor with a random nonce that only the database holds. So the
database never stores a token, and a second tab that shows the predecessor within the grace period is given
the very same successor.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """What a refresh token allowed: the session it belongs to and the token that follows it."""

    session_id: UUID
    user_id: UUID
    token: str


def first_token() -> str:
    """The start of a chain: 256 random bits."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


def new_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def successor(token: str, nonce: bytes) -> str:
    """The token that replaces `token`; unknowable without both."""
    return urlsafe_b64encode(hmac.digest(nonce, token.encode(), "sha256")).decode()


def digest(token: str) -> bytes:
    """What is stored of a token. 256 random bits need no slow hash."""
    return sha256(token.encode()).digest()
