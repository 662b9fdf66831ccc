"""One JSON call to another service: the caller's identity, the answer, and refusals as the errors they were."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.context import context_headers
from shared.errors import (
    AppError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PayloadTooLarge,
    PaymentRequired,
    TooManyRequests,
    Unavailable,
)
from shared.http import Timeouts, UpstreamError, UpstreamPool

_REFUSALS: Mapping[int, type[AppError]] = {
    400: Invalid,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    422: Invalid,
    429: TooManyRequests,
}
_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors", "message", "param"})


class JsonCalls:
    """Calls to one service. Raises what it refuses as the same AppError, and Unavailable when it does not answer."""

    def __init__(
        self, pool: UpstreamPool, tokens: ServiceTokens, *, service: str, base_url: str, timeouts: Timeouts, answer_bytes_max: int
    ) -> None:
        self.pool = pool
        self.service = service
        self.origin = base_url.rstrip("/")
        self.timeouts = timeouts
        self._tokens = tokens
        self._answer_bytes_max = answer_bytes_max

    def headers(self, principal: Principal | None, *, accept: bytes = b"application/json") -> list[tuple[bytes, bytes]]:
        """Of a call for `principal`, or of the service for itself."""
        return [
            (b"authorization", self._tokens.header_for(self.service, principal)),
            (b"content-type", b"application/json"),
            (b"accept", accept),
            *context_headers(),
        ]

    async def call(self, method: str, target: str, principal: Principal | None, body: Mapping[str, Any] | None = None) -> Any:
        """The parsed answer; None when it is empty."""
        raw = await self.call_raw(method, target, principal, body)
        return orjson.loads(raw) if raw else None

    async def call_raw(self, method: str, target: str, principal: Principal | None, body: Mapping[str, Any] | None = None) -> bytes:
        """The answer's bytes. Raises: AppError."""
        payload = orjson.dumps(body) if body is not None else None
        try:
            async with self.pool.request(
                method, self.origin, target.encode("ascii"), self.headers(principal), body=payload, timeouts=self.timeouts
            ) as response:
                raw = await response.read(self._answer_bytes_max)
        except UpstreamError as error:
            raise self.unavailable() from error
        if response.status < 300:
            return raw
        raise self.refusal(response.status, raw)

    def unavailable(self) -> Unavailable:
        stem = self.service.removesuffix("-service")
        return Unavailable(f"the {self.service} does not answer; try again shortly", code=f"{stem}_unavailable")

    def refusal(self, status: int, raw: bytes) -> AppError:
        """What an answer other than 2xx means. Body: problem+json or OpenAI's envelope."""
        kind = _REFUSALS.get(status)
        try:
            answer = orjson.loads(raw)
            members: dict[str, Any] = answer.get("error", answer)
        except (orjson.JSONDecodeError, AttributeError):
            members = {}
        if status == 503 and str(members.get("code", "")).endswith("_busy"):
            # It is there, and has no room: who waits is told so.
            return Unavailable(str(members.get("detail") or "too much is under way"), code=str(members["code"]))
        if kind is None or not members:
            return self.unavailable()
        detail = str(members.get("detail") or members.get("message") or "refused")
        extra = {name: value for name, value in members.items() if name not in _STANDARD_MEMBERS}
        return kind(detail, code=str(members.get("code") or kind.code), extra=extra)
