"""Calls to billing-service: entitlement before, settlement after. JSON by hand, because every model request
passes here twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import REFUSALS, ServiceCalls, read_refusal
from shared.clients.context import context_headers
from shared.clients.gathering import Gathering
from shared.clock import monotonic_s
from shared.contracts.billing import BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, UNDECIDED
from shared.errors import AppError, Unavailable, UpstreamFailed
from shared.http import Timeouts, UpstreamPool

SERVICE = "billing-service"
_ANSWER_BYTES_MAX = 64 * 1024
# What billing refuses to the person whose dispatch it is; any other refusal is one of the calling service.
_OF_THE_PERSON = frozenset({402, 403, 404, 429})
_PRICES = b"/api/v1/billing/prices?limit=100"
_PRICE_PAGES_MAX = 20
_PRICES_BYTES_MAX = 4 * 1024 * 1024
_RESERVATIONS = b"/internal/v1/reservations"
_BATCH = _RESERVATIONS + b"/batch"
# What is larger goes alone, as everything does to a billing-service of the version before batches, which is
# asked again after a while.
_ENTRY_BYTES_MAX = 60 * 1024
_ALONE_S = 30.0


class BillingUnavailable(Unavailable):
    code = "billing_unavailable"


class BillingRefused(UpstreamFailed):
    """Billing will never take this call as it is: a fault of ours, and trying again changes nothing."""

    code = "billing_refused"


class BillingClient:
    """One per process. Raises what billing refuses as the same AppError, and BillingUnavailable when it does
    not answer.
    """

    def __init__(
        self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, timeouts: Timeouts
    ) -> None:
        self._calls = ServiceCalls(
            pool,
            tokens,
            service=SERVICE,
            base_url=base_url,
            timeouts=timeouts,
            answer_bytes_max=_ANSWER_BYTES_MAX,
        )
        self._gathering = Gathering[_Entry](
            self._send_batch, entries_max=BATCH_ENTRIES_MAX, bytes_max=BATCH_BYTES_MAX // 2
        )
        self._alone_until_s = 0.0

    async def reserve(self, body: Mapping[str, Any], *, traceparent: bytes | None = None) -> dict[str, Any]:
        """`body` is a contracts.billing.ReserveRequest, the answer a Reservation. Cancelled: billing may
        decide all the same.
        """
        return await self._together(_Entry.of(b'"reserve"', _RESERVATIONS, body, traceparent))

    async def settle(
        self, dispatch_id: UUID, body: Mapping[str, Any], *, traceparent: bytes | None = None
    ) -> dict[str, Any]:
        """`body` is a SettleRequest, the answer a Settlement. Safe to repeat."""
        key = str(dispatch_id).encode()
        entry = _Entry.of(
            b'"settle","dispatch_id":"%s"' % key, b"%s/%s/settle" % (_RESERVATIONS, key), body, traceparent
        )
        return await self._together(entry)

    async def release(
        self, dispatch_id: UUID, *, reason: str, traceparent: bytes | None = None
    ) -> dict[str, Any]:
        """Give the hold back. Safe to repeat."""
        key, body = str(dispatch_id).encode(), {"reason": reason}
        entry = _Entry.of(
            b'"release","dispatch_id":"%s"' % key, b"%s/%s/release" % (_RESERVATIONS, key), body, traceparent
        )
        return await self._together(entry)

    async def checkpoint(self, holds: Mapping[UUID, int]) -> dict[str, Any]:
        """Output tokens so far of live holds; the answer is a Checkpoint."""
        body = {
            "holds": [
                {"request_id": dispatch_id, "output_tokens": tokens} for dispatch_id, tokens in holds.items()
            ]
        }
        return await self._call("POST", _RESERVATIONS + b"/checkpoint", body)

    async def usage(self, dispatch_id: UUID) -> dict[str, Any]:
        """A RecordedUsage. Raises: NotFound."""
        return await self._call("GET", b"/internal/v1/usage/%s" % str(dispatch_id).encode())

    async def entitlements(self, principal: Principal) -> dict[str, Any]:
        """What `principal` has left, as GET /api/v1/billing/entitlements answers."""
        return await self._call("GET", b"/api/v1/billing/entitlements", principal=principal)

    async def priced_models(self, principal: Principal) -> frozenset[str]:
        """Names of the models that have a price, of 2,000 at most. Raises: AppError."""
        names: set[str] = set()
        target = _PRICES
        for _ in range(_PRICE_PAGES_MAX):
            answer = await self._call("GET", target, principal=principal, size_max=_PRICES_BYTES_MAX)
            names.update(str(entry["model"]) for entry in answer["data"])
            if not answer.get("has_more") or not answer.get("last_id"):
                break
            target = _PRICES + b"&after=" + str(answer["last_id"]).encode("ascii")
        return frozenset(names)

    async def _together(self, entry: "_Entry") -> dict[str, Any]:
        """The entry's answer; with those of others it travels in one call. Raises: AppError."""
        if len(entry.body) > _ENTRY_BYTES_MAX or monotonic_s() < self._alone_until_s:
            return _read(*await self._exchange("POST", entry.target, entry.body, entry.headers))
        self._gathering.add(entry)
        return await entry.answer

    async def _send_batch(self, entries: "list[_Entry]") -> None:
        cause: BaseException | None = None
        try:
            await self._carry(entries)
        except (BillingUnavailable, ValueError, KeyError, TypeError) as error:
            cause = error.__cause__ or error
        finally:
            # Whatever went wrong, each hears what it would have heard alone: billing may have decided or not.
            for entry in entries:
                if not entry.done:
                    entry.fail(_unavailable(cause))

    async def _carry(self, entries: "list[_Entry]") -> None:
        payload = b'{"entries":[%s]}' % b",".join([entry.payload for entry in entries])
        status, answer = await self._exchange("POST", _BATCH, payload, entries[0].headers, BATCH_BYTES_MAX)
        if status == 200:
            late: list[_Entry] = []
            for entry, own in zip(entries, answer["answers"], strict=True):
                if own["status"] == 503 and own["body"].get("code") == UNDECIDED:
                    late.append(entry)
                else:
                    entry.finish(own["status"], own["body"])
            if late:
                await self._send_each_alone(late)
        elif 400 <= status < 500:
            # It says nothing of the entries: each is asked for alone.
            if status in {404, 405}:
                self._alone_until_s = monotonic_s() + _ALONE_S
            await self._send_each_alone(entries)
        else:
            for entry in entries:
                entry.finish(status, answer)

    async def _send_each_alone(self, entries: "list[_Entry]") -> None:
        await asyncio.gather(*(self._send_alone(entry) for entry in entries if not entry.done))

    async def _send_alone(self, entry: "_Entry") -> None:
        try:
            entry.finish(*await self._exchange("POST", entry.target, entry.body, entry.headers))
        except BillingUnavailable as error:
            entry.fail(error)

    async def _call(
        self,
        method: str,
        target: bytes,
        body: Mapping[str, Any] | None = None,
        principal: Principal | None = None,
        size_max: int = _ANSWER_BYTES_MAX,
    ) -> dict[str, Any]:
        payload = orjson.dumps(body) if body is not None else None
        return _read(*await self._exchange(method, target, payload, context_headers(), size_max, principal))

    async def _exchange(
        self,
        method: str,
        target: bytes,
        payload: bytes | None,
        context: list[tuple[bytes, bytes]],
        size_max: int = _ANSWER_BYTES_MAX,
        principal: Principal | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer. Raises: BillingUnavailable."""
        try:
            status, raw = await self._calls.exchange(
                method, target, payload, principal=principal, context=context, answer_bytes_max=size_max
            )
            return status, orjson.loads(raw)
        except (Unavailable, orjson.JSONDecodeError) as error:
            cause = error.__cause__ or error
            raise _unavailable(cause) from cause


@dataclass(slots=True, eq=False)
class _Entry:
    """A call that may travel with others: `payload` is its contracts.billing.BatchEntry, `target` and `body`
    are those of its own call.
    """

    target: bytes
    body: bytes
    payload: bytes
    headers: list[tuple[bytes, bytes]]
    answer: "asyncio.Future[dict[str, Any]]"

    @classmethod
    def of(cls, action: bytes, target: bytes, body: Mapping[str, Any], traceparent: bytes | None) -> "_Entry":
        """`action` in JSON, with the members beside it."""
        headers, raw = context_headers(traceparent), orjson.dumps(body)
        # Both values are hexadecimal digits and the like, checked where they came in.
        context = b"".join([b'"%s":"%s",' % (_MEMBERS[name], value) for name, value in headers])
        payload = b'{%s"action":%s,"body":%s}' % (context, action, raw)
        return cls(target, raw, payload, headers, asyncio.get_running_loop().create_future())

    @property
    def size_bytes(self) -> int:
        return len(self.payload) + 1

    @property
    def done(self) -> bool:
        return self.answer.done()

    def finish(self, status: int, body: dict[str, Any]) -> None:
        if self.answer.done():
            return  # whoever asked has gone
        if status == 200:
            self.answer.set_result(body)
        else:
            self.answer.set_exception(_refusal(status, body))

    def fail(self, error: AppError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


_MEMBERS = {b"x-request-id": b"request_id", b"traceparent": b"traceparent"}


def _unavailable(cause: BaseException | None) -> BillingUnavailable:
    error = BillingUnavailable("billing does not answer, so nothing can be charged; try again shortly")
    error.__cause__ = cause
    return error


def _read(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """Raises: AppError, what billing refused."""
    if status == 200:
        return answer
    raise _refusal(status, answer)


def _refusal(status: int, answer: dict[str, Any]) -> AppError:
    refusal = read_refusal(answer)
    if status in _OF_THE_PERSON:
        headers = {"x-should-retry": "false"} if status in {402, 429} else {}
        kind = REFUSALS[status]
        return kind(
            refusal.detail or "refused by billing", code=refusal.code, extra=refusal.extra, headers=headers
        )
    if 400 <= status < 500:
        refused = BillingRefused(f"billing refused the call with status {status}; tell an operator")
        refused.operator_detail = (refusal.detail or "")[:500]
        return refused
    return BillingUnavailable(f"billing answered {status}, so nothing can be charged; try again shortly")
