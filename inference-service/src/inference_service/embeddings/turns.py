"""A request to the built-in model, turn by turn, for as long as somebody waits for it."""

from collections.abc import Callable
from dataclasses import replace

from inference_service.embed_worker.client import turns_of
from inference_service.metering.usage import Usage
from inference_service.providers.protocol import EmbeddingAnswer, EmbeddingRequest, Json, Provider


class Turns:
    """`used` is what the turns so far have read."""

    def __init__(self, provider: Provider, request: EmbeddingRequest) -> None:
        self.used = Usage()
        self._provider = provider
        self._request = request

    async def run(self, left: Callable[[], bool]) -> EmbeddingAnswer | None:
        """None: the client has `left` before the last turn, and the rest is nobody's. Raises: AppError."""
        data: list[Json] = [{} for _ in self._request.texts]
        # Between two turns nothing is awaited, so the place at the model is not lost to another request.
        for turn in turns_of(self._request.texts):
            if left():
                return None
            texts = [self._request.texts[index] for index in turn]
            answer = await self._provider.embed(replace(self._request, texts=texts))
            for index, entry in zip(turn, answer.data, strict=True):
                data[index] = {**entry, "index": index}
            if answer.usage is not None:
                self.used = Usage(input_tokens=self.used.input_tokens + answer.usage.input_tokens)
        return EmbeddingAnswer(data=data, usage=self.used)
