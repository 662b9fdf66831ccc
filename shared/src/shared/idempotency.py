"""Idempotency-Key: a repeated write returns the first answer, from the same transaction that made it."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import Invalid

KEEP_HOURS = 24

IDEMPOTENCY_SQL = """
CREATE TABLE idempotency_key (
    principal text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status int,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, method, route, key)
);
CREATE INDEX ix_idempotency_key_created_at ON idempotency_key (created_at);
"""

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=200, description="repeat the call safely: the first answer comes again"),
]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a key belongs to."""

    principal: str
    method: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer of an operation."""

    status: int
    body: bytes


async def begin(session: AsyncSession, operation: Operation, *, body: bytes) -> StoredAnswer | None:
    """Claim `operation` in the caller's transaction; a concurrent holder of the same key is waited for.

    Returns the stored answer when the operation was done before, else None: do it, then call `finish`.

    Raises:
        Invalid: the key was used with another body.
    """
    names = {"principal": operation.principal, "method": operation.method, "route": operation.route, "key": operation.key}
    body_hash = hashlib.sha256(body).digest()
    await session.execute(
        text(
            "DELETE FROM idempotency_key WHERE principal = :principal AND method = :method AND route = :route AND key = :key"
            " AND created_at < now() - make_interval(hours => :hours)"
        ),
        {**names, "hours": KEEP_HOURS},
    )
    claimed = await session.execute(
        text(
            "INSERT INTO idempotency_key (principal, method, route, key, body_hash) VALUES (:principal, :method, :route, :key, :body_hash)"
            " ON CONFLICT DO NOTHING RETURNING true"
        ),
        {**names, "body_hash": body_hash},
    )
    if claimed.scalar_one_or_none():
        return None
    row = (
        await session.execute(
            text(
                "SELECT body_hash, status, answer FROM idempotency_key"
                " WHERE principal = :principal AND method = :method AND route = :route AND key = :key"
            ),
            names,
        )
    ).one()
    if bytes(row.body_hash) != body_hash:
        raise Invalid("this Idempotency-Key was used with another body; send a new key", code="idempotency_key_reused")
    return StoredAnswer(row.status, bytes(row.answer))


async def finish(session: AsyncSession, operation: Operation, *, status: int, body: bytes) -> None:
    """Store the answer beside the work it belongs to."""
    await session.execute(
        text(
            "UPDATE idempotency_key SET status = :status, answer = :answer"
            " WHERE principal = :principal AND method = :method AND route = :route AND key = :key"
        ),
        {
            "principal": operation.principal,
            "method": operation.method,
            "route": operation.route,
            "key": operation.key,
            "status": status,
            "answer": body,
        },
    )
