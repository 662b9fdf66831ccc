"""The cookies: out of reach of scripts, of other sites and of every route but sign-in's."""

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import Request, Response

from gateway_service.sessions.errors import CrossSiteRequest
from gateway_service.settings import GatewaySettings

COOKIE_NAME = "atrium_refresh"
DEVICE_COOKIE_NAME = "atrium_device"
COOKIE_PATH = "/api/v1/auth"
_DEVICE_S = 180 * 86_400


def set_refresh_cookie(response: Response, token: str, settings: GatewaySettings) -> None:
    response.set_cookie(
        COOKIE_NAME,
        token,
        max_age=settings.refresh_token_ttl_s,
        path=COOKIE_PATH,
        secure=settings.https,
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"


def clear_refresh_cookie(response: Response, settings: GatewaySettings) -> None:
    response.delete_cookie(
        COOKIE_NAME, path=COOKIE_PATH, secure=settings.https, httponly=True, samesite="strict"
    )


def set_device_cookie(response: Response, email: str, settings: GatewaySettings) -> None:
    """Lets this browser be known as one on which the person has signed in. It opens nothing."""
    nonce = secrets.token_urlsafe(12)
    response.set_cookie(
        DEVICE_COOKIE_NAME,
        f"{nonce}.{_device_proof(nonce, email, settings)}",
        max_age=_DEVICE_S,
        path=COOKIE_PATH,
        secure=settings.https,
        httponly=True,
        samesite="strict",
    )


def known_device(request: Request, email: str, settings: GatewaySettings) -> str | None:
    """The name of the browser on which this person has signed in before; None for any other."""
    nonce, _, proof = request.cookies.get(DEVICE_COOKIE_NAME, "").partition(".")
    good = bool(nonce) and hmac.compare_digest(proof.encode(), _device_proof(nonce, email, settings).encode())
    return nonce if good else None


def _device_proof(nonce: str, email: str, settings: GatewaySettings) -> str:
    key = sha256(b"device:" + settings.user_signing_key.get_secret_value().encode()).digest()
    return hmac.new(key, f"{nonce}:{email}".encode(), sha256).hexdigest()


def refuse_other_sites(request: Request, settings: GatewaySettings) -> None:
    """SameSite=Strict counts all ports and subdomains of a host as one site; Origin and Sec-Fetch-Site tell
    them apart.

    Raises:
        CrossSiteRequest
    """
    if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        raise CrossSiteRequest
    origin = request.headers.get("origin")
    if origin is None or origin == settings.public_origin:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise CrossSiteRequest
