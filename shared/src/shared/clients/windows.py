"""How much a model can read, so that what is sent fits it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from shared.auth import Principal, ServiceTokens
from shared.clients.completions import SERVICE
from shared.clients.json_calls import JsonCalls
from shared.clock import monotonic_s
from shared.errors import AppError
from shared.http import Timeouts, UpstreamPool

log = logging.getLogger(__name__)

CONTEXT_TOKENS_UNKNOWN = 4096
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_REMEMBER_S = 60.0
ANSWER_SHARE = 4
"""A quarter of the window is left for the answer when it is not said how long it may be."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a model reads and writes in all, and the part of it for the prompt. `known`: somebody said so; else it is a guess."""

    context_tokens: int
    prompt_tokens: int
    known: bool


class ModelWindows:
    """Context lengths by model, asked of the inference-service once a minute; `tokens_max` bounds what is sent to any of them."""

    def __init__(self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, connect_timeout_s: float, tokens_max: int) -> None:
        timeouts = Timeouts(connect_s=connect_timeout_s, first_byte_s=5, idle_s=5)
        self._calls = JsonCalls(pool, tokens, service=SERVICE, base_url=base_url, timeouts=timeouts, answer_bytes_max=_ANSWER_BYTES_MAX)
        self._tokens_max = tokens_max
        self._contexts: Mapping[str, int] = {}
        self._asked_at_s = -_REMEMBER_S

    async def prompt_tokens(self, principal: Principal, model: str, *, answer_tokens_max: int | None = None) -> int:
        """Tokens of prompt that leave room for the answer; never fails, an unknown model counts as a small one."""
        return (await self.window(principal, model, answer_tokens_max=answer_tokens_max)).prompt_tokens

    async def window(self, principal: Principal, model: str, *, answer_tokens_max: int | None = None) -> Window:
        """As `prompt_tokens`, with the whole window beside it."""
        if monotonic_s() - self._asked_at_s >= _REMEMBER_S:
            await self._ask(principal)
        context = self._contexts.get(model, CONTEXT_TOKENS_UNKNOWN)
        answer = min(answer_tokens_max or context // ANSWER_SHARE, context // 2)
        return Window(context, min(self._tokens_max, context - answer), model in self._contexts)

    async def _ask(self, principal: Principal) -> None:
        self._asked_at_s = monotonic_s()
        try:
            answer = cast("object", await self._calls.call("GET", "/api/v1/inference/models", principal))
        except (AppError, ValueError) as error:
            log.warning("context lengths are not known", extra={"reason": type(error).__name__})
            return
        self._contexts = {**self._contexts, **_contexts(answer)}


def _contexts(answer: object) -> dict[str, int]:
    page = cast("dict[str, list[dict[str, Any]]]", answer) if isinstance(answer, dict) else {}
    return {str(model["id"]): int(length) for model in page.get("data", []) if (length := model.get("context_length"))}
