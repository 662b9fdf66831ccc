"""Which models billing can charge for: asked now and then for the model picker, never needed to serve a request."""

import time
from typing import Any, cast

import orjson
from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.context import context_headers
from shared.http import Timeouts, UpstreamError, UpstreamPool

_KEEP_S = 30.0
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_TARGET = b"/api/v1/billing/prices?limit=100"
_PAGES_MAX = 20


class PriceList:
    """Names of the priced models, at most 30 s old; None while billing has not answered."""

    def __init__(self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, timeouts: Timeouts) -> None:
        self._pool = pool
        self._tokens = tokens
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self._names: frozenset[str] | None = None
        self._due_s = 0.0

    def knows(self, model_id: str) -> bool | None:
        return None if self._names is None else model_id in self._names

    async def refresh(self, principal: Principal) -> None:
        """Ask again when the list is old. A failure keeps the old list: the picker must work without billing."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _KEEP_S
        try:
            self._names = await self._fetch(principal)
        except (UpstreamError, ValueError, KeyError, TypeError):
            self._due_s = now_s + 1

    async def _fetch(self, principal: Principal) -> frozenset[str]:
        headers = [(b"authorization", self._tokens.header_for("billing-service", principal)), *context_headers()]
        names: set[str] = set()
        target = _TARGET
        for _ in range(_PAGES_MAX):
            async with self._pool.request("GET", self._base_url, target, headers, timeouts=self._timeouts) as response:
                answer = cast("dict[str, Any]", orjson.loads(await response.read(_ANSWER_BYTES_MAX)))
            if response.status != 200:
                raise ValueError(f"billing answered {response.status}")
            names.update(str(entry["model"]) for entry in answer["data"])
            if not answer.get("has_more") or not answer.get("last_id"):
                break
            target = _TARGET + b"&after=" + str(answer["last_id"]).encode("ascii")
        return frozenset(names)
