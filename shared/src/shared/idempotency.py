"""Idempotency-Key: a repeated write returns the first answer, from the same transaction that made it."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Header, Response
from pydantic import BaseModel
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
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="repeat the call safely: the first answer comes again",
    ),
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
    names = {
        "principal": operation.principal,
        "method": operation.method,
        "route": operation.route,
        "key": operation.key,
    }
    body_hash = hashlib.sha256(body).digest()
    await session.execute(
        text(
            "DELETE FROM idempotency_key WHERE principal = :principal AND method = :method AND route = :route"
            " AND key = :key AND created_at < now() - make_interval(hours => :hours)"
        ),
        {**names, "hours": KEEP_HOURS},
    )
    claimed = await session.execute(
        text(
            "INSERT INTO idempotency_key (principal, method, route, key, body_hash) VALUES (:principal,"
            " :method, :route, :key, :body_hash)"
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
        raise Invalid(
            "this Idempotency-Key was used with another body; send a new key", code="idempotency_key_reused"
        )
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


class Once:
    """One write of an endpoint that a caller may repeat with its Idempotency-Key; without a key every call
    writes.

    `if first := await once.first(): return first`, then write in the same session, then `return await
    once.answer(...)`.
    """

    def __init__(
        self, session: AsyncSession, key: str | None, *, principal: UUID | None, route: str, body: BaseModel
    ) -> None:
        self._session = session
        self._operation = Operation(str(principal), "POST", route, key) if key else None
        self._body = body

    async def first(self) -> Response | None:
        """The first answer when this was done before. Raises: Invalid (the key was used with
        another body).
        """
        if self._operation is None:
            return None
        stored = await begin(self._session, self._operation, body=self._body.model_dump_json().encode())
        return stored and Response(stored.body, status_code=stored.status, media_type="application/json")

    async def answer(self, made: BaseModel, *, status: int = 201) -> Response:
        """The answer, stored for the next time."""
        body = made.model_dump_json().encode()
        if self._operation is not None:
            await finish(self._session, self._operation, status=status, body=body)
        return Response(body, status_code=status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class KeyedWrite:
    """A repeatable write whose answer comes later, such as a stream: what is remembered says where it is."""

    operation: Operation
    body: bytes

    @classmethod
    def of(cls, key: str | None, body: BaseModel, *, principal: UUID, route: str) -> "KeyedWrite | None":
        """None without a key. What was sent decides: an absent member and a null one are two bodies."""
        if key is None:
            return None
        content = body.model_dump_json(exclude_unset=True).encode()
        return cls(Operation(str(principal), "POST", route, key), content)

    async def first(self, session: AsyncSession) -> dict[str, Any] | None:
        """What was remembered when this was done before. Raises: Invalid (the key had another body)."""
        stored = await begin(session, self.operation, body=self.body)
        return None if stored is None else orjson.loads(stored.body)

    async def remember(self, session: AsyncSession, found_by: dict[str, Any]) -> None:
        """Store it with the rows that were written."""
        await finish(session, self.operation, status=200, body=orjson.dumps(found_by))
