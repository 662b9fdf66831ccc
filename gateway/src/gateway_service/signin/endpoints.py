"""HTTP of sign-up, sign-in, the own account and its password."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal

from gateway_service.limits.credentials import CredentialLimits, CredentialTries, client_address
from gateway_service.people.account import Account
from gateway_service.people.schemas import User
from gateway_service.sessions.cookies import known_device, set_device_cookie, set_refresh_cookie
from gateway_service.sessions.dependencies import DeviceDep, SessionsDep
from gateway_service.sessions.schemas import SignedIn
from gateway_service.sessions.service import Device, Sessions
from gateway_service.settings import GatewaySettings
from gateway_service.signin.dependencies import AccountsDep
from gateway_service.signin.schemas import AuthConfig, Me, PasswordChange, SignIn, SignUp

MeReader = Annotated[Principal, Depends(require(Permission.ME_READ))]
MeWriter = Annotated[Principal, Depends(require(Permission.ME_WRITE))]


async def _signed_in(
    account: Account, device: Device, *, sessions: Sessions, response: Response, settings: GatewaySettings
) -> SignedIn:
    grant = await sessions.start(account.id, device)
    set_refresh_cookie(response, grant.token, settings)
    set_device_cookie(response, account.email, settings)
    token = sessions.access_token(account, grant.session_id)
    return SignedIn(access_token=token, expires_in=settings.access_token_ttl_s, user=User.of(account))


def build_router(limits: CredentialLimits, settings: GatewaySettings) -> APIRouter:
    """The routes of sign-in, with their limits."""
    router = APIRouter(prefix="/api/v1/auth", tags=["auth"])
    tries = limits.tries(
        "sign_in",
        "change_password",
        per_client=settings.signin_limit,
        per_account=settings.signin_account_limit,
    )

    @router.get("/config", summary="What the sign-in page must know")
    async def auth_config(accounts: AccountsDep) -> AuthConfig:
        return await accounts.config()

    @router.post(
        "/signup",
        status_code=status.HTTP_201_CREATED,
        summary="Make an account; the first one becomes the administrator",
    )
    @limits.guard(settings.signup_limit)
    async def sign_up(
        request: Request,
        response: Response,
        form: SignUp,
        accounts: AccountsDep,
        sessions: SessionsDep,
        device: DeviceDep,
    ) -> SignedIn:
        account = await accounts.sign_up(form)
        return await _signed_in(account, device, sessions=sessions, response=response, settings=settings)

    @router.post(
        "/signin", summary="Swap e-mail address and password for an access token and a refresh cookie"
    )
    async def sign_in(
        request: Request,
        response: Response,
        form: SignIn,
        accounts: AccountsDep,
        sessions: SessionsDep,
        device: DeviceDep,
    ) -> SignedIn:
        async with tries.one(
            client_address(request), form.email, device=known_device(request, form.email, settings)
        ):
            account = await accounts.sign_in(form)
        return await _signed_in(account, device, sessions=sessions, response=response, settings=settings)

    _add_own_account(router, tries)
    return router


def _add_own_account(router: APIRouter, tries: CredentialTries) -> None:
    @router.get("/me", summary="The caller and what they may do")
    async def me(principal: MeReader, accounts: AccountsDep) -> Me:
        user = User.of(await accounts.account(principal.actor_id))
        permissions = sorted(permission.value for permission in principal.permissions)
        return Me(
            **user.model_dump(),
            permissions=permissions,
            key_id=principal.key_id,
            session_id=principal.session_id,
        )

    @router.post(
        "/password",
        status_code=status.HTTP_204_NO_CONTENT,
        summary="Change the own password; other sessions end",
    )
    async def change_password(
        request: Request,
        form: PasswordChange,
        principal: MeWriter,
        accounts: AccountsDep,
        sessions: SessionsDep,
    ) -> None:
        async with tries.one(client_address(request), str(principal.actor_id)):
            await accounts.change_password(principal, form)
        await sessions.revoke_all(principal.actor_id, keep=principal.session_id, reason="password_changed")
