"""The refresh cookie: out of reach of scripts, of other sites and of every route but sign-in's."""

from urllib.parse import urlsplit

from fastapi import Request, Response

from gateway_service.sessions.errors import CrossSiteRequest
from gateway_service.settings import GatewaySettings

COOKIE_NAME = "atrium_refresh"
COOKIE_PATH = "/api/v1/auth"


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
    response.delete_cookie(COOKIE_NAME, path=COOKIE_PATH, secure=settings.https, httponly=True, samesite="strict")


def refuse_other_sites(request: Request, settings: GatewaySettings) -> None:
    """SameSite=Strict counts all ports and subdomains of a host as one site; Origin and Sec-Fetch-Site tell them apart.

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
