"""The rules of API keys: a key never exceeds whoever made it."""

from datetime import datetime, timedelta
from uuid import UUID

from shared.access import AccessTopic
from shared.auth.principal import Principal
from shared.clock import utc_now
from shared.db import Database
from shared.errors import Conflict, Forbidden, NotFound
from shared.ids import uuid7
from shared.pagination import Page, page_of
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.apikeys import repository
from gateway_service.apikeys.models import ApiKey
from gateway_service.apikeys.schemas import CreatedKey, KeyInfo, KeyLimits, NewKey
from gateway_service.identity.changes import IdentityChanges, key_subject
from gateway_service.identity.key_secrets import KeySecret, new_secret

_KEYS_MAX = 200


class ApiKeys:
    """Makes, lists, rotates and revokes keys, each in its own transaction."""

    def __init__(self, *, database: Database, changes: IdentityChanges) -> None:
        self._database = database
        self._changes = changes

    async def create(self, principal: Principal, form: NewKey) -> CreatedKey:
        """A new key of the caller. Raises: Forbidden when it would exceed the caller, Conflict when there are
        too many.
        """
        secret, now = new_secret(), utc_now()
        async with self._database.transaction() as db:
            if await repository.count_of_user(db, principal.actor_id) >= _KEYS_MAX:
                raise Conflict(f"you have {_KEYS_MAX} keys; delete one first", code="too_many_keys")
            key = ApiKey(
                id=uuid7(),
                user_id=principal.actor_id,
                team_id=principal.team_id,
                name=form.name,
                prefix=secret.prefix,
                key_sha256=secret.digest,
                scopes=_scopes_within(principal, form),
                models=_models_within(principal, form),
                rpm=_rpm_within(principal, form),
                expires_at=await self._expiry_within(db, principal, form, now),
                created_at=now,
                updated_at=now,
            )
            await repository.add(db, key)
        return _created(key, secret)

    async def page_of(self, principal: Principal, *, after: UUID | None, limit: int) -> Page[KeyInfo]:
        """The caller's keys, newest first."""
        async with self._database.transaction() as db:
            keys = await repository.page_of_user(db, principal.actor_id, after=after, limit=limit + 1)
        return page_of([_info(key) for key in keys], limit=limit)

    async def revoke(self, principal: Principal, key_id: UUID) -> None:
        """The key stops working at once, a rotated predecessor too, and what runs under it ends.

        Raises:
            NotFound.
            Forbidden: a key may revoke itself only, or a narrow key could cut its owner off.
        """
        if principal.key_id is not None and principal.key_id != key_id:
            raise Forbidden("an API key can revoke itself only; sign in to revoke others")
        now = utc_now()
        async with self._database.transaction() as db:
            key = await self._own(db, principal, key_id)
            key.revoked_at, key.updated_at = now, now
            await self._announce_revoked(db, key_id, principal.actor_id)

    async def rotate(self, principal: Principal, key_id: UUID, *, grace_s: int) -> CreatedKey:
        """A new secret for the same key; the old one works for `grace_s` more seconds.

        Raises:
            NotFound.
            Forbidden: a key may rotate itself only, or a narrow key could get hold of a wide one.
        """
        if principal.key_id is not None and principal.key_id != key_id:
            raise Forbidden("an API key can rotate itself only; sign in to rotate others")
        secret, now = new_secret(), utc_now()
        async with self._database.transaction() as db:
            key = await self._own(db, principal, key_id)
            key.previous_sha256 = key.key_sha256 if grace_s else None
            key.previous_expires_at = now + timedelta(seconds=grace_s) if grace_s else None
            key.key_sha256, key.prefix, key.updated_at = secret.digest, secret.prefix, now
            await self._changes.forget(db, key_subject(key_id))
        return _created(key, secret)

    async def _own(self, db: AsyncSession, principal: Principal, key_id: UUID) -> ApiKey:
        key = await repository.key_for_update(db, principal.actor_id, key_id)
        if key is None:
            raise NotFound("you have no such API key")
        return key

    async def _announce_revoked(self, db: AsyncSession, key_id: UUID, user_id: UUID) -> None:
        payload = {"key_id": key_id, "user_id": user_id}
        await self._changes.publish(db, AccessTopic.KEY_REVOKED, subject=key_subject(key_id), payload=payload)

    async def _expiry_within(
        self, db: AsyncSession, principal: Principal, form: NewKey, now: datetime
    ) -> datetime | None:
        asked = now + timedelta(seconds=form.expires_in_s) if form.expires_in_s else None
        if principal.key_id is None:
            return asked
        creator = await self._own(db, principal, principal.key_id)
        ends = [moment for moment in (asked, creator.expires_at) if moment is not None]
        return min(ends, default=None)


def _scopes_within(principal: Principal, form: NewKey) -> list[str] | None:
    if form.scopes is None:
        return None if principal.scopes is None else sorted(principal.scopes)
    if missing := sorted(scope.value for scope in form.scopes if not principal.allows(scope)):
        raise Forbidden(
            f"a key cannot hold what you do not have yourself: {', '.join(missing)}",
            code="scope_exceeds_creator",
        )
    return sorted({scope.value for scope in form.scopes})


def _models_within(principal: Principal, form: NewKey) -> list[str]:
    if not principal.models:
        return sorted(set(form.models))
    if extra := sorted(set(form.models) - set(principal.models)):
        raise Forbidden(
            f"a key cannot use models you may not use yourself: {', '.join(extra)}",
            code="models_exceed_creator",
        )
    return sorted(set(form.models) or set(principal.models))


def _rpm_within(principal: Principal, form: NewKey) -> int | None:
    limits = [rpm for rpm in (form.limits.rpm, principal.rpm) if rpm is not None]
    return min(limits, default=None)


def _info(key: ApiKey) -> KeyInfo:
    return KeyInfo(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        models=key.models,
        limits=KeyLimits(rpm=key.rpm),
        team_id=key.team_id,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        created_at=key.created_at,
    )


def _created(key: ApiKey, secret: KeySecret) -> CreatedKey:
    return CreatedKey(**_info(key).model_dump(), key=secret.text)
