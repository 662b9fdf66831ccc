"""How much a model can read, so that what is sent fits it."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import ServiceCalls
from shared.clients.completions import SERVICE
from shared.clock import monotonic_s
from shared.errors import AppError, NotFound
from shared.http import Timeouts, UpstreamPool

log = logging.getLogger(__name__)

CONTEXT_TOKENS_UNKNOWN = 128_000
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
_REMEMBER_S = 60.0
_ASK_AGAIN_S = 2.0
ANSWER_SHARE = 4
"""A quarter of the window is left for the answer when it is not said how long it may be."""


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """What a model reads and writes in all, and the part of it for the prompt. `known`: somebody said so;
    else it is a guess.
    """

    context_tokens: int
    prompt_tokens: int
    known: bool


@dataclass(frozen=True, slots=True)
class _Length:
    tokens: int
    known: bool


class ModelWindows:
    """Context lengths by model, asked of the inference-service once a minute; `tokens_max` bounds what is
    sent to any of them.

    They are asked for by the service itself: what one person's key may not see is no reason to forget it for
    everybody.
    """

    def __init__(
        self,
        pool: UpstreamPool,
        tokens: ServiceTokens,
        *,
        base_url: str,
        connect_timeout_s: float,
        tokens_max: int,
    ) -> None:
        timeouts = Timeouts(connect_s=connect_timeout_s, first_byte_s=5, idle_s=5)
        self._calls = ServiceCalls(
            pool,
            tokens,
            service=SERVICE,
            base_url=base_url,
            timeouts=timeouts,
            answer_bytes_max=_ANSWER_BYTES_MAX,
        )
        self._tokens_max = tokens_max
        self._lengths: Mapping[str, _Length] = {}
        self._due_s = 0.0
        self._asking = asyncio.Lock()

    async def prompt_tokens(
        self, principal: Principal, model: str, *, answer_tokens_max: int | None = None
    ) -> int:
        """Tokens of prompt that leave room for the answer; never fails, a model of which nothing is known
        counts as a large one.
        """
        return (await self.window(principal, model, answer_tokens_max=answer_tokens_max)).prompt_tokens

    async def window(
        self, principal: Principal, model: str, *, answer_tokens_max: int | None = None
    ) -> ContextWindow:
        """As `prompt_tokens`, with the whole window beside it."""
        await self._refresh(principal, model)
        length = self._lengths.get(model, _UNKNOWN)
        context = length.tokens
        answer = min(answer_tokens_max or context // ANSWER_SHARE, context // 2)
        return ContextWindow(context, min(self._tokens_max, context - answer), length.known)

    async def _refresh(self, principal: Principal, model: str) -> None:
        """One look at a time: who knows the model uses that, the others wait for it."""
        if monotonic_s() < self._due_s or (model in self._lengths and self._asking.locked()):
            return
        async with self._asking:
            if monotonic_s() >= self._due_s:
                await self._ask(principal)
                self._due_s = monotonic_s() + (_REMEMBER_S if model in self._lengths else _ASK_AGAIN_S)

    async def _ask(self, principal: Principal) -> None:
        try:
            self._lengths = {**self._lengths, **_lengths(await self._list(principal))}
        except (AppError, ValueError, TypeError) as error:
            log.warning("context lengths are not known", extra={"reason": type(error).__name__})

    async def _list(self, principal: Principal) -> object:
        try:
            return await self._calls.call("GET", "/internal/v1/models", None)
        except NotFound:
            # An inference-service of the last version, during an update.
            return await self._calls.call("GET", "/api/v1/inference/models", principal)


def _lengths(answer: object) -> dict[str, _Length]:
    page = cast("dict[str, list[dict[str, Any]]]", answer) if isinstance(answer, dict) else {}
    return {
        str(model["id"]): _Length(int(tokens), model.get("context_source") != "default")
        for model in page.get("data", [])
        if (tokens := model.get("context_length"))
    }


_UNKNOWN = _Length(CONTEXT_TOKENS_UNKNOWN, known=False)
