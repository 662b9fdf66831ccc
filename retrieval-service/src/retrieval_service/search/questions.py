"""What the inference-service says about a question: its vector, and how well passages answer it."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from shared.auth.principal import Principal
from shared.clients.inference import InferenceClient
from shared.errors import Forbidden, NotFound, PaymentRequired, Unavailable

from retrieval_service.search.errors import MeaningUnavailable
from retrieval_service.vectors.port import DIMENSIONS, Vector

_KEPT_MAX = 512


class Questions:
    """One per process; keeps the vectors of the last questions, as people page, refine and ask again."""

    def __init__(self, client: InferenceClient, *, model: str, kept_max: int = _KEPT_MAX) -> None:
        self._client = client
        self._model = model
        self._kept_max = kept_max
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    async def vector(self, principal: Principal, query: str) -> Vector:
        """Of unit length. Raises: MeaningUnavailable; PaymentRequired, Forbidden and TooManyRequests as they
        were refused.
        """
        if (known := self._vectors.get(query)) is not None:
            self._vectors.move_to_end(query)
            return known
        try:
            (row,) = await self._client.embed(principal, self._model, [query])
        except (Unavailable, NotFound) as error:
            raise MeaningUnavailable from error
        vector = np.asarray(row, dtype=np.float32)
        length = float(np.linalg.norm(vector))
        if vector.shape != (DIMENSIONS,) or not np.isfinite(length) or length == 0:
            raise MeaningUnavailable
        self._vectors[query] = vector / np.float32(length)
        if len(self._vectors) > self._kept_max:
            self._vectors.popitem(last=False)
        return self._vectors[query]

    async def scores(self, principal: Principal, query: str, texts: Sequence[str]) -> list[float]:
        """One per text, higher is better. Raises: AppError."""
        return await self._client.rerank(principal, self._model, query, texts)


def in_words(error: Exception) -> str:
    """Why the model was not used, for the trace."""
    match error:
        case PaymentRequired():
            return "it cannot be paid for"
        case Forbidden():
            return "you may not use it"
        case _:
            return "it does not answer"
