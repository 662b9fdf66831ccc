"""The built-in chat model: llama.cpp's own HTTP server, run by the supervisor, whose progress is a file."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import orjson
from shared.errors import AppError
from shared.http import UpstreamError

from inference_service.providers.adapters.openai_compatible import OpenAICompatibleProvider, positive
from inference_service.providers.demanded_call import AsCall, demand, is_demanded
from inference_service.providers.discreet import Discreet
from inference_service.providers.errors import AnswerBroken, ModelLoading, ProviderUnavailable
from inference_service.providers.local_status import LocalModelStatus
from inference_service.providers.protocol import ChatCall, Json, ProviderResponse, Readiness, UpstreamModel
from inference_service.providers.transport import Remote, Transport

_RETRY_AFTER_S = 2
_COUNT_TIMEOUT_S = 2.0
_READ_BY_THE_MODEL = ("messages", "tools")


class LlamaCppProvider(OpenAICompatibleProvider):
    """`remote` is the server's root, without /v1."""

    kind = "llama.cpp"
    chat_target = b"/v1/chat/completions"

    def __init__(self, remote: Remote, transport: Transport, status: LocalModelStatus) -> None:
        super().__init__("local", remote, transport)
        self._status = status

    def readiness(self) -> Readiness | None:
        return self._status.read()

    async def list_models(self) -> list[UpstreamModel]:
        known = self._status.read()
        if known is not None and known.status != "ready":
            return [self._model(None)]
        # n_ctx of the slots is what one conversation gets; /v1/models tells only what the weights were
        # trained on.
        answer = await self.transport.get_json(self.remote, b"/props")
        settings = answer.get("default_generation_settings")
        context = positive(cast("Json", settings).get("n_ctx")) if isinstance(settings, dict) else None
        return [self._model(context)]

    def open_chat(self, call: ChatCall) -> AbstractAsyncContextManager[ProviderResponse]:
        return self._open_supervised(call)

    @asynccontextmanager
    async def _open_supervised(self, call: ChatCall) -> AsyncGenerator[ProviderResponse]:
        opened = self.send_chat(call)
        try:
            response = await opened.__aenter__()
        except (ProviderUnavailable, AnswerBroken) as error:
            # It died (perhaps with the request in its hands, of which nobody sends a bill) or is starting:
            # the supervisor brings it back, so the client is told to wait and not to give up.
            text = "the built-in model is starting again; it answers in a few seconds"
            raise ModelLoading(text, retry_after_s=_RETRY_AFTER_S, extra={"progress": None}) from error
        try:
            answer = Discreet(response, stream=call.stream)
            yield AsCall(answer, stream=call.stream) if is_demanded(call.body) else answer
        finally:
            await opened.__aexit__(None, None, None)

    def chat_body(self, call: ChatCall) -> Json:
        """With tools and no temperature of the client's: the likeliest words. Drawn at random, a small model
        misses the form of a call,
        and with a penalty on repeated words it misses names that it has to repeat.

        Words that the tokenizer would take for the marks between messages are broken up, wherever they stand.
        """
        body = super().chat_body(call)
        if body.get("tools") and body.get("temperature") is None:
            body["temperature"] = 0
            body["repeat_penalty"] = 1.0
        if is_demanded(body):
            demand(body)
        body["messages"] = [_as_one_text(message) for message in cast("list[Json]", body["messages"])]
        for name in _READ_BY_THE_MODEL:
            if name in body:
                body[name] = self._status.control_tokens.neutralise(body[name])
        # What one person sent is never a start for another's request.
        body["cache_prompt"] = False
        return body

    def limit_name(self, asked: Mapping[str, Any]) -> str:
        return "max_tokens"

    async def count_input_tokens(self, call: ChatCall) -> int | None:
        """By the server's own template and tokenizer: two calls on the same machine, a few milliseconds."""
        body = self.chat_body(call)
        wanted = {name: body[name] for name in _READ_BY_THE_MODEL if body.get(name)}
        try:
            async with asyncio.timeout(_COUNT_TIMEOUT_S):
                prompt = await self.transport.post_json(self.remote, b"/apply-template", orjson.dumps(wanted))
                text = orjson.dumps(
                    {"content": prompt.get("prompt", ""), "add_special": True, "parse_special": True}
                )
                tokens = (await self.transport.post_json(self.remote, b"/tokenize", text)).get("tokens")
        except (AppError, UpstreamError, TimeoutError):
            return None
        return len(cast("list[object]", tokens)) if isinstance(tokens, list) and tokens else None

    def _model(self, context_length: int | None) -> UpstreamModel:
        return UpstreamModel(
            id=self._status.model, name=self._status.model, context_length=context_length,
            capabilities=("tools", "json_schema"),
            builtin=True, starter=True,
        )  # fmt: skip


def _as_one_text(message: Json) -> Json:
    """Parts joined: a mark must not come together from two of them."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    texts = [str(part.get("text") or part.get("refusal") or "") for part in cast("list[Json]", content)]
    return {**message, "content": "\n".join(texts)}
