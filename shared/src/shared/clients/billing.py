"""Calls to billing-service: entitlement before, settlement after. JSON by hand, because every model request passes here twice."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.context import context_headers
from shared.errors import AppError, Forbidden, NotFound, PaymentRequired, TooManyRequests, Unavailable, UpstreamFailed
from shared.http import Timeouts, UpstreamError, UpstreamPool

SERVICE = "billing-service"
_ANSWER_BYTES_MAX = 64 * 1024
_REFUSALS: Mapping[int, type[AppError]] = {402: PaymentRequired, 403: Forbidden, 404: NotFound, 429: TooManyRequests}
_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors"})


class BillingUnavailable(Unavailable):
    code = "billing_unavailable"


class BillingRefused(UpstreamFailed):
    """Billing will never take this call as it is: a fault of ours, and trying again changes nothing."""

    code = "billing_refused"


class BillingClient:
    """One per process. Raises what billing refuses as the same AppError, and BillingUnavailable when it does not answer."""

    def __init__(self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, timeouts: Timeouts) -> None:
        self._pool = pool
        self._tokens = tokens
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts

    async def reserve(self, body: Mapping[str, Any], *, traceparent: bytes | None = None) -> dict[str, Any]:
        """`body` is a contracts.billing.ReserveRequest, the answer a Reservation."""
        return await self._call("POST", b"/internal/v1/reservations", body, traceparent)

    async def settle(self, request_id: UUID, body: Mapping[str, Any], *, traceparent: bytes | None = None) -> dict[str, Any]:
        """`body` is a SettleRequest, the answer a Settlement. Safe to repeat."""
        return await self._call("POST", b"/internal/v1/reservations/%s/settle" % str(request_id).encode(), body, traceparent)

    async def release(self, request_id: UUID, *, reason: str, traceparent: bytes | None = None) -> dict[str, Any]:
        """Give the hold back. Safe to repeat."""
        return await self._call("POST", b"/internal/v1/reservations/%s/release" % str(request_id).encode(), {"reason": reason}, traceparent)

    async def checkpoint(self, holds: Mapping[UUID, int]) -> dict[str, Any]:
        """Output tokens so far of live holds; the answer is a Checkpoint."""
        body = {"holds": [{"request_id": request_id, "output_tokens": tokens} for request_id, tokens in holds.items()]}
        return await self._call("POST", b"/internal/v1/reservations/checkpoint", body, None)

    async def usage(self, request_id: UUID) -> dict[str, Any]:
        """A RecordedUsage. Raises: NotFound."""
        return await self._call("GET", b"/internal/v1/usage/%s" % str(request_id).encode(), None, None)

    async def entitlements(self, principal: Principal) -> dict[str, Any]:
        """What `principal` has left, as GET /api/v1/billing/entitlements answers."""
        return await self._call("GET", b"/api/v1/billing/entitlements", None, None, principal)

    async def _call(
        self, method: str, target: bytes, body: Mapping[str, Any] | None, traceparent: bytes | None, principal: Principal | None = None
    ) -> dict[str, Any]:
        headers = [
            (b"authorization", self._tokens.header_for(SERVICE, principal)),
            (b"content-type", b"application/json"),
            *context_headers(traceparent),
        ]
        payload = orjson.dumps(body) if body is not None else None
        try:
            async with self._pool.request(method, self._base_url, target, headers, body=payload, timeouts=self._timeouts) as response:
                answer = orjson.loads(await response.read(_ANSWER_BYTES_MAX))
        except (UpstreamError, orjson.JSONDecodeError) as error:
            raise BillingUnavailable("billing does not answer, so nothing can be charged; try again shortly") from error
        if response.status == 200:
            return answer
        raise _refusal(response.status, answer)


def _refusal(status: int, answer: dict[str, Any]) -> AppError:
    kind = _REFUSALS.get(status)
    if kind is None and 400 <= status < 500:
        refused = BillingRefused(f"billing refused the call with status {status}; tell an operator")
        refused.operator_detail = str(answer.get("detail", ""))[:500]
        return refused
    if kind is None:
        return BillingUnavailable(f"billing answered {status}, so nothing can be charged; try again shortly")
    extra = {name: value for name, value in answer.items() if name not in _STANDARD_MEMBERS}
    headers = {"x-should-retry": "false"} if status in {402, 429} else {}
    return kind(str(answer.get("detail", "refused by billing")), code=str(answer.get("code", kind.code)), extra=extra, headers=headers)
