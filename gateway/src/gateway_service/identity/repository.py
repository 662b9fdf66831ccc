"""The reads that turn a credential into a person: one statement each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.auth.permissions import Permission, Role
from shared.auth.principal import UsageMode
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.people.account import Account, AccountStatus

_PERSON_SQL = """u.id AS user_id, u.organisation_id, u.email, u.name, u.role, u.status, o.usage_mode,
    ARRAY(SELECT m.team_id FROM membership m WHERE m.user_id = u.id ORDER BY m.team_id) AS team_ids"""
_KEY_SQL = """SELECT k.id AS key_id, k.team_id, k.scopes, k.models, k.rpm, k.expires_at,
    k.previous_expires_at, k.key_sha256, {person}
    FROM api_key k JOIN user_account u ON u.id = k.user_id JOIN organisation o ON o.id = u.organisation_id
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now) AND {found}"""
_SESSION_OF_PERSON_SQL = """SELECT {person} FROM session s JOIN user_account u ON u.id = s.user_id
    JOIN organisation o ON o.id = u.organisation_id
    WHERE s.id = :session_id AND s.user_id = :user_id AND s.revoked_at IS NULL AND s.expires_at > :now"""
_DIGEST_FITS = "(k.key_sha256 = :digest OR (k.previous_sha256 = :digest AND k.previous_expires_at > :now))"

_SESSION_SQL = text(_SESSION_OF_PERSON_SQL.format(person=_PERSON_SQL))
_KEY_BY_DIGEST_SQL = text(_KEY_SQL.format(person=_PERSON_SQL, found=_DIGEST_FITS))
_KEY_BY_ID_SQL = text(_KEY_SQL.format(person=_PERSON_SQL, found="k.id = :key_id AND k.user_id = :user_id"))

_USED_PRECISION = timedelta(minutes=1)
# A minute is fine enough for "last used" and spares a write per lookup.
_KEY_USED_SQL = text(
    "UPDATE api_key SET last_used_at = :now WHERE id = :key_id AND (last_used_at IS NULL OR last_used_at < "
    ":stale)"
)

_KNOWN_SCOPES = frozenset(permission.value for permission in Permission)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOwner:
    """A live key, its owner, and until when the presented secret is good (None: no end)."""

    account: Account
    key_id: UUID
    team_id: UUID
    scopes: list[str] | None
    models: list[str]
    rpm: int | None
    good_until: datetime | None


async def account_of_session(
    db: AsyncSession, *, session_id: UUID, user_id: UUID, now: datetime
) -> Account | None:
    """The person, when the session is live."""
    row = (
        await db.execute(_SESSION_SQL, {"session_id": session_id, "user_id": user_id, "now": now})
    ).one_or_none()
    return None if row is None else _account(row)


async def owner_of_secret(db: AsyncSession, digest: bytes, *, now: datetime) -> KeyOwner | None:
    """The live key with this digest, the one before a rotation included while its grace lasts."""
    row = (await db.execute(_KEY_BY_DIGEST_SQL, {"digest": digest, "now": now})).one_or_none()
    return None if row is None else await _used(db, row, now, by_previous=row.key_sha256 != digest)


async def owner_of_key(db: AsyncSession, *, key_id: UUID, user_id: UUID, now: datetime) -> KeyOwner | None:
    """The live key with this id."""
    row = (await db.execute(_KEY_BY_ID_SQL, {"key_id": key_id, "user_id": user_id, "now": now})).one_or_none()
    return None if row is None else await _used(db, row, now, by_previous=False)


async def _used(db: AsyncSession, row: Row[Any], now: datetime, *, by_previous: bool) -> KeyOwner:
    await db.execute(_KEY_USED_SQL, {"key_id": row.key_id, "now": now, "stale": now - _USED_PRECISION})
    ends = [
        moment
        for moment in (row.expires_at, row.previous_expires_at if by_previous else None)
        if moment is not None
    ]
    return KeyOwner(
        account=_account(row),
        key_id=row.key_id,
        team_id=row.team_id,
        scopes=None if row.scopes is None else [scope for scope in row.scopes if scope in _KNOWN_SCOPES],
        models=list(row.models),
        rpm=row.rpm,
        good_until=min(ends, default=None),
    )


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.user_id,
        organisation_id=row.organisation_id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
        status=AccountStatus(row.status),
        team_ids=tuple(row.team_ids),
        usage_mode=UsageMode(row.usage_mode),
    )
