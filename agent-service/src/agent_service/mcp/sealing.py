"""Secrets at rest: headers of MCP servers are stored encrypted and never leave the service but towards their
server.
"""

import json
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_VERSION = b"\x01"


class Unsealable(Exception):
    """What was stored cannot be read with the present key."""


class Seal:
    """AES-256-GCM under a key derived from a secret of the service; each value is bound to the id of its
    server.
    """

    def __init__(self, secret: str) -> None:
        derived = HKDF(
            algorithm=SHA256(), length=32, salt=None, info=b"atrium agent-service mcp headers"
        ).derive(secret.encode())
        self._cipher = AESGCM(derived)

    def close(self, server_id: UUID, headers: dict[str, str]) -> bytes:
        """`headers` as bytes to store."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, json.dumps(headers).encode(), server_id.bytes)

    def open(self, server_id: UUID, sealed: bytes) -> dict[str, str]:
        """Raises: Unsealable."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise Unsealable
        try:
            return json.loads(self._cipher.decrypt(nonce, text, server_id.bytes))
        except (InvalidTag, ValueError):
            raise Unsealable from None
