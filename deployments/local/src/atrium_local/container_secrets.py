"""`secrets`: every secret of an installation in containers, as a file of NAME=value lines."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from shared.ids import random_secret

from atrium_local.credentials import USER_KEY_ID, Credentials
from atrium_local.dotenv import read_dotenv, render_dotenv
from atrium_local.errors import explain_os_error
from atrium_local.files import write_private
from atrium_local.services import SERVICES

_STORES = ("REDIS_PASSWORD", "QDRANT_API_KEY", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
_OPTIONAL_STACKS = (
    "GRAFANA_ADMIN_PASSWORD",
    "LITELLM_MASTER_KEY",
    "LITELLM_DATABASE_PASSWORD",
    "LAGO_DATABASE_PASSWORD",
    "LAGO_SECRET_KEY_BASE",
    "LAGO_ENCRYPTION_PRIMARY_KEY",
    "LAGO_ENCRYPTION_DETERMINISTIC_KEY",
    "LAGO_ENCRYPTION_KEY_DERIVATION_SALT",
    "LANGFUSE_DATABASE_PASSWORD",
    "LANGFUSE_CLICKHOUSE_PASSWORD",
    "LANGFUSE_REDIS_PASSWORD",
    "LANGFUSE_NEXTAUTH_SECRET",
    "LANGFUSE_SALT",
    "LANGFUSE_ENCRYPTION_KEY",
    "LANGFUSE_S3_SECRET_ACCESS_KEY",
)
_LAGO_RSA_BITS = 2048
_HEADER = (
    "# Every secret of this installation. Keep a copy with the data: without it the data cannot be read.\n"
)


def container_secrets(present: Mapping[str, str]) -> dict[str, str]:
    """Every secret by its variable: those of `present` as they are, new ones for the rest.

    TOKEN_JWKS follows from the signing keys.
    """
    names = _names()
    credentials = Credentials(
        {name: present[variable] for variable, name in names.items() if variable in present}
    )
    values = {variable: credentials.value(name) for variable, name in names.items()}
    values["TOKEN_JWKS"] = credentials.jwks()
    for variable in (*_STORES, *_OPTIONAL_STACKS):
        values[variable] = present.get(variable) or _random_hex()
    values["LAGO_RSA_PRIVATE_KEY"] = present.get("LAGO_RSA_PRIVATE_KEY") or _rsa_key()
    return values


def print_secrets() -> int:
    """New ones, on standard output."""
    print(_HEADER + render_dotenv(container_secrets({})), end="")
    return 0


def complete_file(path: Path) -> int:
    """Add to the file what it lacks; lines of the operator's own stay.

    Raises: LocalError.
    """
    present = read_dotenv(path)
    values = container_secrets(present)
    added = {name: value for name, value in values.items() if present.get(name) != value}
    if not added:
        print(f"{path} holds every secret.")
        return 0
    try:
        kept = path.read_text() if path.exists() else _HEADER
        lines = [line for line in kept.splitlines() if line.partition("=")[0].strip() not in added]
        write_private(path, "".join(f"{line}\n" for line in lines) + render_dotenv(added), lasting=True)
    except OSError as error:
        raise explain_os_error(error, path) from error
    print(f"{path}: {len(added)} secrets added.")
    return 0


def _names() -> dict[str, str]:
    """The name that `Credentials` knows a secret by, by its variable."""
    names = {
        "POSTGRES_PASSWORD": "postgres_password",
        "LOCAL_MODEL_API_KEY": "local_model_api_key",
        "SETUP_TOKEN": "setup_token",
        "USER_SIGNING_KEY": f"signing_key.{USER_KEY_ID}",
    }
    for service in SERVICES:
        names[service.signing_key_variable] = f"signing_key.{service.name}"
        names[service.owner_password_variable] = f"role.{service.owner_role}"
        names[service.app_password_variable] = f"role.{service.app_role}"
    return names


def _random_hex() -> str:
    """64 hexadecimal digits: some take no other text."""
    return hashlib.sha256(random_secret().encode()).hexdigest()


def _rsa_key() -> str:
    """What Lago signs its webhooks with: a PEM in Base64."""
    key = generate_private_key(public_exponent=65537, key_size=_LAGO_RSA_BITS)
    return b64encode(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    ).decode()
