"""The public half of the key that signs user tokens."""

import json
from typing import Any

from shared.auth.tokens import USER_KEY_ID

from gateway_service.settings import GatewaySettings


def public_keys(settings: GatewaySettings) -> list[dict[str, Any]]:
    """JSON Web Keys for outside verifiers; none when tokens are HS256, whose key is a secret."""
    if settings.jwt_secret_key is not None:
        return []
    return [
        {**key, "use": "sig", "alg": "EdDSA"}
        for key in json.loads(settings.token_jwks)["keys"]
        if key.get("kid") == USER_KEY_ID
    ]
