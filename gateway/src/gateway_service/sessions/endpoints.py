"""HTTP of refreshing, signing out, the list of sessions and the public keys."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.pagination import Page

from gateway_service.limits.credentials import CredentialLimits
from gateway_service.people.schemas import User
from gateway_service.sessions.cookies import (
    COOKIE_NAME,
    clear_refresh_cookie,
    refuse_other_sites,
    set_refresh_cookie,
)
from gateway_service.sessions.dependencies import SessionsDep
from gateway_service.sessions.errors import NoSession
from gateway_service.sessions.jwks import public_keys
from gateway_service.sessions.schemas import JsonWebKeySet, SessionInfo, SignedIn
from gateway_service.settings import GatewaySettings

MeReader = Annotated[Principal, Depends(require(Permission.ME_READ))]
MeWriter = Annotated[Principal, Depends(require(Permission.ME_WRITE))]


def build_router(limits: CredentialLimits, settings: GatewaySettings) -> APIRouter:
    """The routes of sessions, with their limits."""
    router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
    keys = JsonWebKeySet(keys=public_keys(settings))

    @router.post("/refresh", summary="Swap the refresh cookie for a new access token and the next cookie")
    @limits.guard(settings.refresh_limit)
    async def refresh(request: Request, response: Response, sessions: SessionsDep) -> SignedIn:
        refuse_other_sites(request, settings)
        token = request.cookies.get(COOKIE_NAME)
        if not token:
            raise NoSession
        grant = await sessions.refresh(token)
        account = await sessions.person(grant)
        set_refresh_cookie(response, grant.token, settings)
        access_token = sessions.access_token(account, grant.session_id)
        return SignedIn(
            access_token=access_token, expires_in=settings.access_token_ttl_s, user=User.of(account)
        )

    @router.post(
        "/signout", status_code=status.HTTP_204_NO_CONTENT, summary="End the session of the refresh cookie"
    )
    @limits.guard(settings.refresh_limit)
    async def sign_out(request: Request, response: Response, sessions: SessionsDep) -> None:
        refuse_other_sites(request, settings)
        if token := request.cookies.get(COOKIE_NAME):
            await sessions.sign_out(token)
        clear_refresh_cookie(response, settings)

    @router.get("/sessions", summary="Where the caller is signed in")
    async def list_sessions(principal: MeReader, sessions: SessionsDep) -> Page[SessionInfo]:
        found = await sessions.list_of(principal)
        return Page(data=found, last_id=str(found[-1].id) if found else None)

    @router.delete(
        "/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT, summary="End one session"
    )
    async def revoke_session(session_id: UUID, principal: MeWriter, sessions: SessionsDep) -> None:
        await sessions.revoke(principal.actor_id, session_id, reason="revoked_by_user")

    @router.get("/jwks", summary="Public keys that verify user tokens")
    async def jwks(response: Response) -> JsonWebKeySet:
        response.headers["Cache-Control"] = "public, max-age=300"
        return keys

    return router
