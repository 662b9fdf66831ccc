"""Every secret of an installation, made at the first start and kept in one private file."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from shared.ids import random_secret

from atrium_local.addresses import RolePasswords
from atrium_local.errors import LocalError, explain_os_error
from atrium_local.files import write_private
from atrium_local.services import SERVICES, Service

USER_KEY_ID = "user-1"  # shared.auth.tokens has the same; importing it would load pyjwt into the supervisor


class Credentials:
    """Secrets by name; what is missing is made, what is there never changes."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        for name in ("postgres_password", "local_model_api_key", "setup_token"):
            self._ensure(name, random_secret)
        self._ensure(f"signing_key.{USER_KEY_ID}", _new_signing_key)
        for service in SERVICES:
            self._ensure(f"signing_key.{service.name}", _new_signing_key)
            self._ensure(f"role.{service.owner_role}", random_secret)
            self._ensure(f"role.{service.app_role}", random_secret)

    @classmethod
    def load(cls, path: Path) -> "Credentials":
        """From `path`, with everything this version needs; what was missing is saved there.

        Raises: LocalError when the file is damaged or the disk is full.
        """
        try:
            values = cast("dict[str, str]", json.loads(path.read_text())) if path.exists() else {}
        except ValueError as error:
            raise LocalError(
                f"{path} is damaged ({error}): restore it from a backup; without it the data cannot be read."
            ) from error
        before = len(values)
        credentials = cls(values)
        if len(values) > before:
            credentials._save(path)
        return credentials

    def _save(self, path: Path) -> None:
        try:
            write_private(
                path, json.dumps(self._values, indent=1), lasting=True
            )  # the data cannot be read without them
        except OSError as error:
            raise explain_os_error(error, path) from error

    def _ensure(self, name: str, make: Callable[[], str]) -> None:
        if name not in self._values:
            self._values[name] = make()

    def value(self, name: str) -> str:
        """The secret called `name`."""
        return self._values[name]

    @property
    def postgres_password(self) -> str:
        """Of the embedded server's superuser."""
        return self._values["postgres_password"]

    @property
    def local_model_api_key(self) -> str:
        return self._values["local_model_api_key"]

    @property
    def setup_token(self) -> str:
        """Proves that the first sign-up is the operator's."""
        return self._values["setup_token"]

    @property
    def user_signing_key(self) -> str:
        """PEM of the key that signs user tokens."""
        return self._values[f"signing_key.{USER_KEY_ID}"]

    def signing_key(self, service: Service) -> str:
        """PEM of the key with which `service` signs its calls."""
        return self._values[f"signing_key.{service.name}"]

    def role_passwords(self, service: Service) -> RolePasswords:
        """Of the service's two database roles."""
        return RolePasswords(
            owner=self._values[f"role.{service.owner_role}"], app=self._values[f"role.{service.app_role}"]
        )

    def jwks(self) -> str:
        """The public halves of all signing keys as a JSON Web Key Set (RFC 7517)."""
        prefix = "signing_key."
        keys = [
            _public_jwk(pem, name.removeprefix(prefix))
            for name, pem in sorted(self._values.items())
            if name.startswith(prefix)
        ]
        return json.dumps({"keys": keys}, separators=(",", ":"))


def _new_signing_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_jwk(pem: str, key_id: str) -> dict[str, str]:
    """RFC 8037: the public half as an octet key pair."""
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise LocalError(f"The signing key {key_id} is no Ed25519 key: restore secrets.json from a backup.")
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    x = urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": key_id, "use": "sig", "alg": "EdDSA"}
