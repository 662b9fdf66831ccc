"""The rules of sessions: short access tokens, rotating refresh tokens, and what ends a session."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.auth.principal import Principal
from shared.auth.tokens import UserTokens
from shared.clock import utc_now
from shared.db import Database
from shared.errors import NotFound
from shared.ids import uuid7
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.identity.changes import IdentityChanges, session_subject
from gateway_service.people import directory
from gateway_service.people.account import Account
from gateway_service.sessions import refresh, repository
from gateway_service.sessions.errors import NoSession, RefreshTokenReused
from gateway_service.sessions.models import UserSession
from gateway_service.sessions.refresh import RefreshGrant
from gateway_service.sessions.schemas import SessionInfo
from gateway_service.settings import GatewaySettings

log = logging.getLogger(__name__)

_SESSIONS_LISTED_MAX = 100
_CHAIN_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a sign-in came from, as far as the request tells."""

    user_agent: str
    address: str


class Sessions:
    """Starts, continues and ends sessions. Opens its own transactions: a detected theft must be stored
    although the answer is an error.
    """

    def __init__(
        self, *, database: Database, tokens: UserTokens, changes: IdentityChanges, settings: GatewaySettings
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._changes = changes
        self._settings = settings

    def access_token(self, account: Account, session_id: UUID) -> str:
        """A short-lived token of this person in this session."""
        return self._tokens.sign(
            account.principal(sid=str(session_id)), ttl_s=self._settings.access_token_ttl_s
        )

    async def start(self, user_id: UUID, device: Device) -> RefreshGrant:
        """A new session and its first refresh token."""
        now = utc_now()
        token = refresh.first_token()
        session = UserSession(
            id=uuid7(),
            user_id=user_id,
            user_agent=device.user_agent[:300],
            address=device.address[:64],
            created_at=now,
            last_used_at=now,
            expires_at=now + timedelta(seconds=self._settings.refresh_token_ttl_s),
        )
        async with self._database.transaction() as db:
            await repository.add(db, session, token_sha256=refresh.digest(token))
        return RefreshGrant(session.id, user_id, token)

    async def refresh(self, token: str) -> RefreshGrant:
        """The next refresh token of the chain.

        Raises:
            NoSession: unknown, expired or revoked.
            RefreshTokenReused: replaced longer ago than the grace period, by one that was used; the session
            is over now.
        """
        now = utc_now()
        async with self._database.transaction() as db:
            session = await repository.lock_session_of_token(db, refresh.digest(token))
            if session is None or session.revoked_at is not None or session.expires_at <= now:
                raise NoSession
            grant = await self._advance(db, session, token, now)
            if grant is None:
                await repository.revoke(
                    db, session.id, user_id=session.user_id, reason="refresh_token_reused", now=now
                )
                await self._changes.end(db, session_subject(session.id))
        if grant is None:
            log.warning(
                "refresh token reuse: session ended",
                extra={"session_id": str(session.id), "user_id": str(session.user_id)},
            )
            raise RefreshTokenReused
        return grant

    async def person(self, grant: RefreshGrant) -> Account:
        """Whose session it is, as stored now. Raises: Unauthenticated when they are gone, Forbidden when
        suspended.
        """
        async with self._database.transaction() as db:
            account = await directory.account(db, grant.user_id)
        account.require_active()
        return account

    async def _advance(
        self, db: AsyncSession, session: UserSession, token: str, now: datetime
    ) -> RefreshGrant | None:
        """Walks from `token` to the live end of the chain, replacing that end only when it was `token`
        itself. None: reuse.
        """
        for step in range(_CHAIN_MAX):
            stored = await repository.token(db, refresh.digest(token))
            if stored is None:
                raise NoSession
            if stored.replaced_at is None or stored.successor_nonce is None:
                if step > 0:
                    return RefreshGrant(session.id, session.user_id, token)
                nonce = refresh.new_nonce()
                stored.replaced_at, stored.successor_nonce = now, nonce
                session.last_used_at, session.expires_at = now, self._extended(session, now)
                token = refresh.successor(token, nonce)
                await repository.add_token(db, session, token_sha256=refresh.digest(token), now=now)
                return RefreshGrant(session.id, session.user_id, token)
            if now - stored.replaced_at > timedelta(seconds=self._settings.refresh_grace_s):
                return await self._reissue(db, session, token, now) if step == 0 else None
            token = refresh.successor(token, stored.successor_nonce)
        return None

    async def _reissue(
        self, db: AsyncSession, session: UserSession, token: str, now: datetime
    ) -> RefreshGrant | None:
        """Another successor for a token whose answer was lost: nobody has used the one it was given. None:
        reuse.

        The one that was given is void from now on. If somebody has it after all, showing it ends the session:
        of two holders of one chain never both go on.
        """
        stored = await repository.token(db, refresh.digest(token))
        if stored is None or stored.successor_nonce is None:
            return None
        lost = await repository.token(db, refresh.digest(refresh.successor(token, stored.successor_nonce)))
        late = now - session.last_used_at > timedelta(seconds=self._settings.refresh_retry_s)
        if lost is None or lost.replaced_at is not None or late:
            return None
        lost.replaced_at, lost.successor_nonce = (
            now - timedelta(seconds=self._settings.refresh_grace_s + 1),
            refresh.new_nonce(),
        )
        nonce = refresh.new_nonce()
        stored.replaced_at, stored.successor_nonce = now, nonce
        token = refresh.successor(token, nonce)
        await repository.add_token(db, session, token_sha256=refresh.digest(token), now=now)
        return RefreshGrant(session.id, session.user_id, token)

    def _extended(self, session: UserSession, now: datetime) -> datetime:
        latest = session.created_at + timedelta(seconds=self._settings.session_ttl_max_s)
        return min(now + timedelta(seconds=self._settings.refresh_token_ttl_s), latest)

    async def list_of(self, principal: Principal) -> list[SessionInfo]:
        """The caller's live sessions."""
        async with self._database.transaction() as db:
            found = await repository.live_of_user(
                db, principal.actor_id, now=utc_now(), limit=_SESSIONS_LISTED_MAX
            )
        return [
            SessionInfo(
                id=session.id,
                user_agent=session.user_agent,
                address=session.address,
                created_at=session.created_at,
                last_used_at=session.last_used_at,
                expires_at=session.expires_at,
                current=session.id == principal.session_id,
            )
            for session in found
        ]

    async def revoke(self, user_id: UUID, session_id: UUID, *, reason: str) -> None:
        """Ends one session of this user. Raises: NotFound."""
        async with self._database.transaction() as db:
            if not await repository.revoke(db, session_id, user_id=user_id, reason=reason, now=utc_now()):
                raise NotFound("there is no such session")
            await self._changes.end(db, session_subject(session_id))

    async def revoke_all(self, user_id: UUID, *, keep: UUID | None, reason: str) -> None:
        """Ends all sessions of a user, except `keep`."""
        async with self._database.transaction() as db:
            for session_id in await repository.revoke_all(
                db, user_id, keep=keep, reason=reason, now=utc_now()
            ):
                await self._changes.end(db, session_subject(session_id))

    async def sign_out(self, token: str) -> None:
        """Ends the session of a refresh token; unknown tokens are ignored, signing out never fails."""
        async with self._database.transaction() as db:
            session = await repository.lock_session_of_token(db, refresh.digest(token))
            if session is None:
                return
            await repository.revoke(
                db, session.id, user_id=session.user_id, reason="signed_out", now=utc_now()
            )
            await self._changes.end(db, session_subject(session.id))
