"""Entitles, computes and settles embeddings."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.auth.principal import Principal
from shared.errors import AppError
from shared.fair_queue import Priority

from inference_service.catalogue.service import Catalogue, Deployment
from inference_service.embeddings.request import EmbeddingsRequest
from inference_service.embeddings.turns import Turns
from inference_service.json_fields import refusal
from inference_service.metering.meter import Bound, Charge, Dispatch, Meter
from inference_service.metering.usage import Outcome, Source, Usage
from inference_service.providers.errors import MAY_BE_BILLED
from inference_service.providers.protocol import EmbeddingRequest

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Embedded:
    """An answer that has been paid for."""

    body: dict[str, Any]
    dispatch_id: str
    charge: Charge


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One per process."""

    catalogue: Catalogue
    meter: Meter

    async def prepare(self, request: EmbeddingsRequest, principal: Principal) -> Deployment:
        """Who answers. Raises: AppError when nobody can; nothing is held then."""
        deployment = await self.catalogue.resolve(request.model, kind="embedding", principal=principal)
        if request.dimensions is not None and deployment.model.builtin:
            raise refusal(f"{request.model} has a fixed vector size; leave dimensions out", "dimensions")
        return deployment

    async def embed(
        self,
        request: EmbeddingsRequest,
        deployment: Deployment,
        principal: Principal,
        *,
        traceparent: bytes | None,
        priority: Priority,
        left: Callable[[], bool],
    ) -> Embedded | None:
        """Run in a tracked task: cancelled or not, the hold ends settled or released.

        `left`: whether the client has gone. The built-in model then stops at its next turn, what it has
        computed is charged, and None is returned. Raises: AppError.
        """
        input_max = _input_bound(request, deployment)
        bound = Bound(
            deployment.id,
            deployment.provider.id,
            "embedding",
            input_max,
            0,
            _estimate(input_max).input_tokens,
        )
        dispatch = await self.meter.reserve(principal, bound, traceparent=traceparent)
        self.meter.begin(dispatch)
        wanted = EmbeddingRequest(
            deployment.model.id,
            request.texts,
            request.encoding,
            request.dimensions,
            traceparent,
            owner=principal.user_id,
            priority=priority,
        )
        turns = Turns(deployment.provider, wanted) if deployment.model.builtin else None
        try:
            answer = await (turns.run(left) if turns else deployment.provider.embed(wanted))
        except MAY_BE_BILLED:
            await self._settle(dispatch, _estimate(input_max), Source.PARTIAL, Outcome.FAILED)
            raise
        except AppError as error:
            await self.meter.release(dispatch, error.code)
            raise
        except Exception:
            # Our own mistake: the hold must end all the same, or it would be renewed for ever.
            await self.meter.release(dispatch, AppError.code)
            raise
        except asyncio.CancelledError:
            await self._stop(dispatch, turns.used if turns else _estimate(input_max), Source.PARTIAL)
            raise
        if answer is None:
            await self._stop(dispatch, turns.used if turns else Usage(), Source.PROVIDER)
            return None
        source = Source.PARTIAL if answer.usage is None else Source.PROVIDER
        usage = answer.usage or _estimate(input_max)
        charge = await self._settle(dispatch, usage, source, Outcome.COMPLETE)
        figures = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
        body = {"object": "list", "data": answer.data, "model": deployment.id, "usage": figures}
        return Embedded(body, str(dispatch.id), charge)

    async def _stop(self, dispatch: Dispatch, used: Usage, source: Source) -> None:
        """Nobody waits for the rest."""
        if used.input_tokens:
            await self._settle(dispatch, used, source, Outcome.STOPPED)
        else:
            await self.meter.release(dispatch, "the client left")

    async def _settle(self, dispatch: Dispatch, usage: Usage, source: Source, outcome: Outcome) -> Charge:
        return await self.meter.settle(dispatch, usage, source=source, outcome=outcome)


def _input_bound(request: EmbeddingsRequest, deployment: Deployment) -> int:
    """A built-in model cuts each text at its window, so no more can be read of it."""
    context = deployment.model.context_length
    if deployment.model.builtin and context is not None:
        return min(request.input_tokens_bound, context * len(request.texts))
    return request.input_tokens_bound


def _estimate(input_tokens_max: int) -> Usage:
    return Usage(input_tokens=-(-input_tokens_max // _BYTES_PER_TOKEN))
