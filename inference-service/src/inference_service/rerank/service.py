"""Entitles, scores and settles reranking by the built-in model."""

import asyncio
from array import array
from dataclasses import dataclass
from typing import Any

from shared.auth.principal import Principal
from shared.errors import AppError
from shared.fair_queue import Priority

from inference_service.catalogue.errors import WrongKindOfModel
from inference_service.catalogue.service import Catalogue, Deployment
from inference_service.embed_worker.client import EmbedWorker
from inference_service.metering.meter import Bound, Charge, Dispatch, Meter
from inference_service.metering.usage import Outcome, Source, Usage
from inference_service.rerank.request import RerankRequest

_BYTES_PER_TOKEN = 4
_SCORE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Reranked:
    """An answer that has been paid for."""

    body: dict[str, Any]
    dispatch_id: str
    charge: Charge


@dataclass(frozen=True, slots=True)
class Reranking:
    """One per process. Only the built-in embedding model can give vectors of single tokens."""

    catalogue: Catalogue
    meter: Meter
    worker: EmbedWorker

    async def prepare(self, request: RerankRequest, principal: Principal) -> Deployment:
        """Who answers. Raises: AppError when nobody can; nothing is held then."""
        deployment = await self.catalogue.resolve(request.model, kind="embedding", principal=principal)
        if not deployment.model.builtin:
            text = f"{request.model!r} cannot rerank; use the built-in embedding model"
            raise WrongKindOfModel(text, extra={"param": "model"})
        return deployment

    async def rerank(
        self,
        request: RerankRequest,
        deployment: Deployment,
        principal: Principal,
        *,
        traceparent: bytes | None,
        priority: Priority,
    ) -> Reranked:
        """Run in a tracked task: cancelled or not, the hold ends settled or released. Raises: AppError."""
        input_max = _input_bound(request, deployment)
        estimate = Usage(input_tokens=-(-input_max // _BYTES_PER_TOKEN))
        bound = Bound(deployment.id, deployment.provider.id, "embedding", input_max, 0, estimate.input_tokens)
        dispatch = await self.meter.reserve(principal, bound, traceparent=traceparent)
        self.meter.begin(dispatch)
        try:
            reply = await self.worker.rerank(
                request.query, request.documents, owner=principal.user_id, priority=priority
            )
        except AppError as error:
            await self.meter.release(dispatch, error.code)
            raise
        except Exception:
            # Our own mistake: the hold must end all the same, or it would be renewed for ever.
            await self.meter.release(dispatch, AppError.code)
            raise
        except asyncio.CancelledError:
            await self._settle(dispatch, estimate, Source.PARTIAL, Outcome.STOPPED)
            raise
        usage = Usage(input_tokens=sum(reply.tokens))
        charge = await self._settle(dispatch, usage, Source.PROVIDER, Outcome.COMPLETE)
        figures = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
        results = _results(request, array("f", reply.vectors))
        return Reranked(
            {"object": "list", "model": deployment.id, "results": results, "usage": figures},
            str(dispatch.id),
            charge,
        )

    async def _settle(self, dispatch: Dispatch, usage: Usage, source: Source, outcome: Outcome) -> Charge:
        return await self.meter.settle(dispatch, usage, source=source, outcome=outcome)


def _input_bound(request: RerankRequest, deployment: Deployment) -> int:
    """The model cuts each text at its window, so no more can be read of it."""
    context = deployment.model.context_length
    if context is None:
        return request.input_tokens_bound
    return min(request.input_tokens_bound, context * (1 + len(request.documents)))


def _results(request: RerankRequest, scores: "array[float]") -> list[dict[str, Any]]:
    """Best first; equal scores keep their order."""
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[: request.top_n]
    results: list[dict[str, Any]] = [
        {"index": index, "relevance_score": round(scores[index], _SCORE_DIGITS)} for index in best
    ]
    if request.return_documents:
        for result in results:
            result["document"] = {"text": request.documents[result["index"]]}
    return results
