"""Keys and tokens for tests: the same key set a provisioned installation has, made on the spot."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm
from shared.auth.permissions import ROLE_PERMISSIONS, Role
from shared.auth.principal import DEFAULT_ORGANISATION_ID, DEFAULT_TEAM_ID, Principal
from shared.auth.tokens import USER_KEY_ID, ServiceTokens, UserTokens
from shared.ids import uuid7

SERVICES = (
    "gateway",
    "inference-service",
    "agent-service",
    "retrieval-service",
    "chat-service",
    "billing-service",
)


def make_principal(
    role: Role = Role.USER,
    *,
    user_id: UUID | None = None,
    organisation_id: UUID = DEFAULT_ORGANISATION_ID,
    **changes: Any,
) -> Principal:
    """A person of the default team, new unless `user_id` is given."""
    principal = Principal(
        user_id=user_id or uuid7(),
        organisation_id=organisation_id,
        team_id=DEFAULT_TEAM_ID,
        team_ids=(DEFAULT_TEAM_ID,),
        role=role,
        permissions=ROLE_PERMISSIONS[role],
    )
    return replace(principal, **changes)


class KeyRing:
    """The private keys of the gateway and of every service."""

    def __init__(self) -> None:
        keys = {kid: Ed25519PrivateKey.generate() for kid in (USER_KEY_ID, *SERVICES)}
        self._pem = {
            kid: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            for kid, key in keys.items()
        }
        self.jwks = json.dumps(
            {
                "keys": [
                    {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid}
                    for kid, key in keys.items()
                ]
            }
        )

    def pem(self, kid: str) -> str:
        """Private key of `kid`: "user-1" or a service's name."""
        return self._pem[kid]

    def environment(self, service: str, *, database_url: str) -> dict[str, str]:
        """The variables a process of `service` needs."""
        variables = {
            "DATABASE_URL": database_url,
            "SERVICE_SIGNING_KEY": self._pem[service],
            "TOKEN_JWKS": self.jwks,
        }
        if service == "gateway":
            variables["USER_SIGNING_KEY"] = self._pem[USER_KEY_ID]
        return variables

    def settings_fields(self, service: str, *, database_url: str) -> dict[str, Any]:
        """As `environment`, with the names of the settings fields."""
        return {
            name.lower(): value
            for name, value in self.environment(service, database_url=database_url).items()
        }

    def user_token(self, principal: Principal, *, ttl_s: int = 300) -> str:
        """A signed user token of `principal`."""
        return UserTokens(signing_key_pem=self._pem[USER_KEY_ID]).sign(principal, ttl_s=ttl_s)

    def user_headers(self, principal: Principal) -> dict[str, str]:
        """Headers of a request of `principal`."""
        return {"authorization": f"Bearer {self.user_token(principal)}"}

    def service_headers(
        self, service: str, *, target: str, principal: Principal | None = None
    ) -> dict[str, str]:
        """Headers of a call from `service` to `target`, acting for `principal` when given."""
        tokens = ServiceTokens(signing_key_pem=self._pem[service], service=service)
        return {"authorization": tokens.header_for(target, principal).decode()}
