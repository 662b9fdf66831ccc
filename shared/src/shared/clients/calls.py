"""How one service calls another: who it is, for which request, and what is refused as the error
that it was.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson
from pydantic import BaseModel, ValidationError

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.context import context_headers
from shared.errors import (
    AppError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PayloadTooLarge,
    PaymentRequired,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
)
from shared.http import RawHeaders, Timeouts, UpstreamError, UpstreamPool, UpstreamResponse

REFUSALS: Mapping[int, type[AppError]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        PaymentRequired,
        Forbidden,
        NotFound,
        Conflict,
        PayloadTooLarge,
        UnsupportedMediaType,
        Invalid,
        TooManyRequests,
    )
}
"""What a refusal means to the caller. 401 is not among them: it is the calling service that was refused, not
the person. What failed
on the other side (5xx) is Unavailable, under the code that it was given there.
"""
_NO_REASON = frozenset({None, AppError.code, Unavailable.code})
# Everything in a refusal that is not one of these is an extra member of its error.
_MEMBERS = frozenset(
    {"type", "title", "status", "detail", "instance", "code", "request_id", "errors", "message"}
)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as it was written: problem+json or OpenAI's envelope. What it does not say is None or empty.
    `kind`: its `type`.
    """

    code: str | None
    kind: str | None
    status: int | None
    detail: str | None
    request_id: str | None
    errors: Sequence[Mapping[str, Any]]
    extra: Mapping[str, Any]


def read_refusal(body: object) -> Refusal:
    """`body`: parsed JSON, or None when it was none."""
    outer = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    inner = outer.get("error", outer)
    if not isinstance(inner, dict):
        return Refusal(None, None, None, str(inner), None, (), {})
    members = cast("dict[str, Any]", inner)
    errors, status = members.get("errors"), members.get("status")
    return Refusal(
        code=_text(members.get("code")),
        kind=_text(members.get("type")),
        status=status if isinstance(status, int) else None,
        detail=_text(members.get("detail") or members.get("message")),
        request_id=_text(members.get("request_id")),
        errors=cast("list[dict[str, Any]]", errors) if isinstance(errors, list) else (),
        extra={
            name: value
            for name, value in members.items()
            if name not in _MEMBERS and (name, value) != ("param", None)
        },
    )


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def parsed(raw: bytes) -> object:
    """`raw` as JSON, None when it is none."""
    try:
        return cast("object", orjson.loads(raw))
    except orjson.JSONDecodeError:
        return None


class ServiceCalls:
    """Calls to one service, each with the identity of the caller and the id and trace of the request that it
    is made for.

    Raises what the service refuses as the same AppError, and Unavailable when it does not answer.
    """

    def __init__(
        self,
        pool: UpstreamPool,
        tokens: ServiceTokens,
        *,
        service: str,
        base_url: str,
        timeouts: Timeouts,
        answer_bytes_max: int,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """`headers` go with every call."""
        self.service = service
        self._pool = pool
        self._tokens = tokens
        self._origin = base_url.rstrip("/")
        self._timeouts = timeouts
        self._answer_bytes_max = answer_bytes_max
        self._headers = list(headers)

    async def call(
        self,
        method: str,
        target: str,
        principal: Principal | None,
        body: Mapping[str, Any] | BaseModel | None = None,
    ) -> Any:
        """The parsed answer; None when it is empty."""
        raw = await self.call_raw(method, target, principal, body)
        return orjson.loads(raw) if raw else None

    async def call_for(
        self,
        answer: type[M],
        method: str,
        target: str,
        principal: Principal | None,
        body: Mapping[str, Any] | BaseModel | None = None,
    ) -> M:
        """The answer in the words of its contract. Raises: AppError; Unavailable also for an answer that is
        not of the contract.
        """
        raw = await self.call_raw(method, target, principal, body)
        try:
            return answer.model_validate_json(raw)
        except ValidationError as error:
            raise self.unavailable() from error

    async def call_raw(
        self,
        method: str,
        target: str,
        principal: Principal | None,
        body: Mapping[str, Any] | BaseModel | None = None,
    ) -> bytes:
        """The answer's bytes. Raises: AppError."""
        status, raw = await self.exchange(method, target.encode("ascii"), _payload(body), principal=principal)
        if status < 300:
            return raw
        raise self.refusal(status, raw)

    async def exchange(
        self,
        method: str,
        target: bytes,
        payload: bytes | None,
        *,
        principal: Principal | None = None,
        context: RawHeaders | None = None,
        answer_bytes_max: int | None = None,
    ) -> tuple[int, bytes]:
        """Status and bytes of an answer, whatever it says. `context`: id and trace, when they are not those
        of the request under way.

        Raises: Unavailable.
        """
        headers = self._head(principal, b"application/json", context)
        try:
            async with self._pool.request(
                method, self._origin, target, headers, body=payload, timeouts=self._timeouts
            ) as response:
                return response.status, await response.read(answer_bytes_max or self._answer_bytes_max)
        except UpstreamError as error:
            raise self.unavailable() from error

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        target: str,
        principal: Principal | None,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> AsyncGenerator[UpstreamResponse]:
        """An event stream while the block runs, whatever its status. Raises: UpstreamError when it breaks off
        or does not begin.
        """
        sent = [*self._head(principal, b"text/event-stream", None), *headers]
        async with self._pool.request(
            method, self._origin, target.encode("ascii"), sent, body=_payload(body), timeouts=self._timeouts
        ) as response:
            yield response

    def unavailable(self) -> Unavailable:
        stem = self.service.removesuffix("-service")
        return Unavailable(
            f"the {self.service} does not answer; try again shortly", code=f"{stem}_unavailable"
        )

    def refusal(self, status: int, raw: bytes) -> AppError:
        """The error that an answer other than 2xx was, with its code and its extra members."""
        answer = parsed(raw)
        kind = Unavailable if status >= 500 else REFUSALS.get(status)
        refusal = read_refusal(answer)
        if (
            kind is None
            or not isinstance(answer, dict)
            or not answer
            or (status >= 500 and refusal.code in _NO_REASON)
        ):
            return self.unavailable()
        return kind(
            refusal.detail or "refused", code=refusal.code, extra=refusal.extra, errors=refusal.errors
        )

    def _head(self, principal: Principal | None, accept: bytes, context: RawHeaders | None) -> RawHeaders:
        return [
            (b"authorization", self._tokens.header_for(self.service, principal)),
            (b"content-type", b"application/json"),
            (b"accept", accept),
            *self._headers,
            *(context_headers() if context is None else context),
        ]


def _payload(body: Mapping[str, Any] | BaseModel | None) -> bytes | None:
    if body is None:
        return None
    return body.model_dump_json().encode() if isinstance(body, BaseModel) else orjson.dumps(body)
