"""How much a model can read, so that a turn sends as much history as fits it."""

import logging
from collections.abc import Mapping
from typing import Any, cast

import orjson
from shared.auth import Principal, ServiceTokens
from shared.clients.completions import SERVICE
from shared.clock import monotonic_s
from shared.http import Timeouts, UpstreamError, UpstreamPool

from chat_service.settings import ChatSettings

log = logging.getLogger(__name__)

CONTEXT_TOKENS_UNKNOWN = 4096
_TARGET = b"/api/v1/inference/models"
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_REMEMBER_S = 60.0
_ANSWER_SHARE = 4
"""A quarter of the window is left for the answer when the request does not say how long it may be."""


class ModelWindows:
    """Context lengths by model, asked of the inference-service once a minute."""

    def __init__(self, pool: UpstreamPool, tokens: ServiceTokens, settings: ChatSettings) -> None:
        self._pool = pool
        self._tokens = tokens
        self._origin = settings.inference_service_url.rstrip("/")
        self._history_tokens_max = settings.history_tokens_max
        self._timeouts = Timeouts(connect_s=settings.provider_connect_timeout_s, first_byte_s=5, idle_s=5)
        self._contexts: Mapping[str, int] = {}
        self._asked_at_s = -_REMEMBER_S

    async def history_tokens(self, principal: Principal, model: str, *, answer_tokens_max: int | None) -> int:
        """Tokens of history that leave room for the answer; never fails, an unknown model counts as a small one."""
        if monotonic_s() - self._asked_at_s >= _REMEMBER_S:
            await self._ask(principal)
        context = self._contexts.get(model, CONTEXT_TOKENS_UNKNOWN)
        answer = min(answer_tokens_max or context // _ANSWER_SHARE, context // 2)
        return min(self._history_tokens_max, context - answer)

    async def _ask(self, principal: Principal) -> None:
        self._asked_at_s = monotonic_s()
        headers = [(b"authorization", self._tokens.header_for(SERVICE, principal))]
        try:
            async with self._pool.request("GET", self._origin, _TARGET, headers, timeouts=self._timeouts) as response:
                answer = cast("object", orjson.loads(await response.read(_ANSWER_BYTES_MAX)))
        except (UpstreamError, orjson.JSONDecodeError) as error:
            log.warning("context lengths are not known", extra={"reason": type(error).__name__})
            return
        if response.status == 200:
            self._contexts = {**self._contexts, **_contexts(answer)}


def _contexts(answer: object) -> dict[str, int]:
    page = cast("dict[str, list[dict[str, Any]]]", answer) if isinstance(answer, dict) else {}
    return {str(model["id"]): int(length) for model in page.get("data", []) if (length := model.get("context_length"))}
