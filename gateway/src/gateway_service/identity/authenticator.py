"""Credential -> identity for the proxy and the gateway's own routes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import jwt
from shared.auth.principal import Principal
from shared.auth.tokens import API_KEY_PREFIX, TokenVerifier
from shared.background import TaskTracker
from shared.clock import monotonic_s, utc_now
from shared.db import Database
from shared.errors import Unauthenticated
from shared.outages import read_again_after_outage

from gateway_service.identity import key_secrets, repository
from gateway_service.identity.changes import key_subject, session_subject, user_subject
from gateway_service.identity.hop import HopTokens
from gateway_service.identity.memory import IdentityMemory
from gateway_service.identity.ports import Identity, Quota
from gateway_service.identity.repository import KeyOwner
from gateway_service.people.account import Account
from gateway_service.settings import GatewaySettings

KEY_REMEMBERED_S = 60.0
_HOP_SPARE_S = 30.0
_CREDENTIAL_BYTES_MAX = 8192
_KEY_START = API_KEY_PREFIX.encode()


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a credential proved, for how long it may be believed, and whose change ends that."""

    principal: Principal
    good_for_s: float
    subjects: tuple[str, ...]


class StoredAuthenticator:
    """Asks the database once per credential and remembers the answer until it ends or is revoked.

    Role, teams and status come from the database, not from the token: a token keeps working after its owner's
    role changed, with the new role.
    """

    def __init__(
        self,
        *,
        database: Database,
        verifier: TokenVerifier,
        hop_tokens: HopTokens,
        tasks: TaskTracker,
        settings: GatewaySettings,
        memory: IdentityMemory,
    ) -> None:
        self._database = database
        self._verifier = verifier
        self._hop_tokens = hop_tokens
        self._tasks = tasks
        self._settings = settings
        self._running: dict[bytes, asyncio.Task[Identity]] = {}
        self.memory = memory

    def remembered(self, credential: bytes) -> Identity | None:
        """See ports.Authenticator."""
        return self.memory.get(credential)

    async def authenticate(self, credential: bytes) -> Identity:
        """See ports.Authenticator. A burst with one credential asks the database once."""
        running = self._running.get(credential)
        if running is None:
            running = self._tasks.spawn(self._look_up(credential), "authenticate", claimed=True)
            self._running[credential] = running
            running.add_done_callback(self._forgetting(credential))
        # shield: the first caller may hang up while others wait for the same answer.
        return await asyncio.shield(running)

    def _forgetting(self, credential: bytes) -> Callable[[asyncio.Task[Identity]], None]:
        def forget(_task: asyncio.Task[Identity]) -> None:
            self._running.pop(credential, None)

        return forget

    async def _look_up(self, credential: bytes) -> Identity:
        epoch, started_s = self.memory.epoch, monotonic_s()
        check = self._check_key if credential.startswith(_KEY_START) else self._check_token
        checked = await read_again_after_outage(lambda: check(credential))
        hop = self._hop_tokens.token_for(checked.principal)
        identity = Identity(checked.principal, hop.authorization, self._quotas(checked.principal))
        good_for_s = min(checked.good_for_s, hop.valid_s - _HOP_SPARE_S) - (monotonic_s() - started_s)
        self.memory.put(credential, identity, good_for_s=good_for_s, subjects=checked.subjects, epoch=epoch)
        return identity

    async def _check_key(self, credential: bytes) -> _Checked:
        if not key_secrets.well_formed(credential):
            raise Unauthenticated("this is not an API key of this installation", code="invalid_key")
        now = utc_now()
        async with self._database.transaction() as db:
            owner = await repository.owner_of_secret(db, key_secrets.digest(credential), now=now)
        if owner is None:
            raise Unauthenticated(
                "the API key is unknown, expired or revoked; make a new one", code="invalid_key"
            )
        good_for_s = (
            KEY_REMEMBERED_S
            if owner.good_until is None
            else min(KEY_REMEMBERED_S, (owner.good_until - now).total_seconds())
        )
        return _of_key(owner, good_for_s)

    async def _check_token(self, credential: bytes) -> _Checked:
        if len(credential) > _CREDENTIAL_BYTES_MAX:
            raise Unauthenticated(
                "the token is too long to be one of ours; sign in again", code="invalid_token"
            )
        token = credential.decode("latin-1")
        claimed = self._verifier.verify(token)
        if claimed.service is not None or claimed.via_gateway or claimed.user_id is None:
            raise Unauthenticated(
                "this token is for use between the services; sign in for one of your own",
                code="invalid_token",
            )
        remaining_s = _expires_at_s(token) - utc_now().timestamp()
        if claimed.key_id is not None:
            return await self._check_swapped(claimed.user_id, claimed.key_id, remaining_s)
        if claimed.session_id is None:
            raise Unauthenticated("the token belongs to no session; sign in again", code="invalid_token")
        async with self._database.transaction() as db:
            account = await repository.account_of_session(
                db, session_id=claimed.session_id, user_id=claimed.user_id, now=utc_now()
            )
        if account is None:
            raise Unauthenticated("the session has ended; sign in again", code="session_ended")
        return _of_session(account, claimed.session_id, remaining_s)

    async def _check_swapped(self, user_id: UUID, key_id: UUID, remaining_s: float) -> _Checked:
        async with self._database.transaction() as db:
            owner = await repository.owner_of_key(db, key_id=key_id, user_id=user_id, now=utc_now())
        if owner is None:
            raise Unauthenticated(
                "the API key behind this token was revoked or has expired", code="invalid_key"
            )
        return _of_key(owner, min(remaining_s, KEY_REMEMBERED_S))

    def _quotas(self, principal: Principal) -> tuple[Quota, ...]:
        settings = self._settings
        limits = {
            f"user:{principal.user_id}": settings.user_rpm,
            f"org:{principal.organisation_id}": settings.organisation_rpm,
        }
        if principal.key_id is not None:
            limits[f"key:{principal.key_id}"] = principal.rpm or settings.key_rpm
        return tuple(Quota(key, rpm) for key, rpm in limits.items())


def _expires_at_s(verified_token: str) -> float:
    """Unix time at which a token ends whose signature was checked just before."""
    return float(jwt.decode(verified_token, options={"verify_signature": False})["exp"])


def _of_session(account: Account, session_id: UUID, good_for_s: float) -> _Checked:
    account.require_active()
    subjects = (user_subject(account.id), session_subject(session_id))
    return _Checked(account.principal(sid=str(session_id)), good_for_s, subjects)


def _of_key(owner: KeyOwner, good_for_s: float) -> _Checked:
    owner.account.require_active()
    principal = owner.account.principal(
        key=str(owner.key_id),
        scopes=owner.scopes,
        models=owner.models or None,
        rpm=owner.rpm,
        team=str(owner.team_id),
    )
    return _Checked(principal, good_for_s, (user_subject(owner.account.id), key_subject(owner.key_id)))
