"""The signer of user tokens."""

from shared.auth.tokens import UserTokens

from gateway_service.settings import GatewaySettings


def user_tokens(settings: GatewaySettings) -> UserTokens:
    """With the installation's Ed25519 key, or HS256 where JWT_SECRET_KEY is set."""
    secret = settings.jwt_secret_key
    return UserTokens(
        signing_key_pem=settings.user_signing_key.get_secret_value(),
        hs256_secret=secret.get_secret_value() if secret else None,
    )
