"""HTTP of API keys and of swapping one for a token."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from shared.auth.guards import CurrentPrincipal, require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.auth.tokens import UserTokens
from shared.errors import Invalid
from shared.pagination import Limit, Page

from gateway_service.apikeys.dependencies import ApiKeysDep
from gateway_service.apikeys.schemas import CreatedKey, KeyInfo, NewKey, RotateKey
from gateway_service.limits.credentials import CredentialLimits
from gateway_service.sessions.schemas import AccessToken
from gateway_service.settings import GatewaySettings

KeyManager = Annotated[Principal, Depends(require(Permission.KEYS_MANAGE))]
AfterKey = Annotated[UUID | None, Query(description="id of the last key already seen")]


def build_router(limits: CredentialLimits, settings: GatewaySettings, tokens: UserTokens) -> APIRouter:
    """The routes of API keys, with the limit of the swap."""
    router = APIRouter(prefix="/api/v1/auth", tags=["api keys"])

    @router.post(
        "/api-keys", status_code=status.HTTP_201_CREATED, summary="Make an API key; it is shown this once"
    )
    async def create_key(
        form: NewKey, principal: KeyManager, keys: ApiKeysDep, response: Response
    ) -> CreatedKey:
        response.headers["Cache-Control"] = "no-store"
        return await keys.create(principal, form)

    @router.get("/api-keys", summary="The caller's keys")
    async def list_keys(
        principal: KeyManager, keys: ApiKeysDep, limit: Limit = 50, after: AfterKey = None
    ) -> Page[KeyInfo]:
        return await keys.page_of(principal, after=after, limit=limit)

    @router.delete(
        "/api-keys/{key_id}", status_code=status.HTTP_204_NO_CONTENT, summary="Revoke a key at once"
    )
    async def delete_key(key_id: UUID, principal: KeyManager, keys: ApiKeysDep) -> None:
        await keys.revoke(principal, key_id)

    @router.post("/api-keys/{key_id}/rotate", summary="Give a key a new secret")
    async def rotate_key(
        key_id: UUID, form: RotateKey, principal: KeyManager, keys: ApiKeysDep, response: Response
    ) -> CreatedKey:
        response.headers["Cache-Control"] = "no-store"
        return await keys.rotate(principal, key_id, grace_s=form.grace_s)

    @router.post("/token", summary="Swap an API key for a token that every service accepts directly")
    @limits.guard(settings.signin_limit)
    async def swap_key(request: Request, response: Response, principal: CurrentPrincipal) -> AccessToken:
        if principal.key_id is None:
            raise Invalid("send an API key (Authorization: Bearer atr-...); a token needs no swapping")
        response.headers["Cache-Control"] = "no-store"
        ttl_s = settings.access_token_ttl_s
        return AccessToken(access_token=tokens.sign(principal, ttl_s=ttl_s), expires_in=ttl_s)

    return router
