"""GET /v1/models, /v1/models/{id} and /api/v1/inference/models."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from shared.auth.guards import require, require_service
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.clients.windows import CONTEXT_TOKENS_UNKNOWN

from inference_service.catalogue.errors import ModelNotFound
from inference_service.catalogue.prices import PriceList
from inference_service.catalogue.schemas import (
    ModelList,
    ModelView,
    ModelWindow,
    ModelWindowList,
    OpenAIModel,
    OpenAIModelList,
)
from inference_service.catalogue.service import Catalogue, Deployment

# What most embedding models read; theirs may stay unknown, so that no bound is built on a guess.
EMBEDDING_TOKENS_ASSUMED = 512

router = APIRouter(tags=["models"])
internal_router = APIRouter(prefix="/internal/v1", tags=["internal"])

Callers = Annotated[Principal, Depends(require_service("chat-service", "agent-service", "retrieval-service"))]
Reader = Annotated[Principal, Depends(require(Permission.MODELS_READ))]


@router.get("/v1/models", summary="Models the caller may use, as OpenAI lists them")
async def list_openai_models(request: Request, principal: Reader) -> OpenAIModelList:
    return OpenAIModelList(
        data=[_openai(deployment) for deployment in _catalogue(request).visible_to(principal)]
    )


# Ids may hold slashes: `openai-1/llama`.
@router.get("/v1/models/{model_id:path}", summary="One model, as OpenAI describes it")
async def read_openai_model(model_id: str, request: Request, principal: Reader) -> OpenAIModel:
    deployment = await _catalogue(request).find(model_id)
    if principal.models and deployment.id not in principal.models:
        raise ModelNotFound(
            f"the model {model_id!r} does not exist; GET /v1/models lists those that do",
            extra={"param": "model"},
        )
    return _openai(deployment)


@router.get(
    "/api/v1/inference/models", summary="Models the caller may use, with status, progress and capabilities"
)
async def list_models(request: Request, principal: Reader) -> ModelList:
    prices = cast("PriceList", request.app.state.prices)
    await prices.refresh(principal)
    views = [_view(deployment, prices) for deployment in _catalogue(request).visible_to(principal)]
    return ModelList(data=views, last_id=views[-1].id if views else None)


@internal_router.get("/models", summary="Windows of all chat models, whoever may use them")
async def list_windows(request: Request, caller: Callers) -> ModelWindowList:
    deployments = [found for found in _catalogue(request).everything() if found.model.kind == "chat"]
    return ModelWindowList(data=[_window(deployment) for deployment in deployments])


def _catalogue(request: Request) -> Catalogue:
    return cast("Catalogue", request.app.state.catalogue)


def _openai(deployment: Deployment) -> OpenAIModel:
    return OpenAIModel(id=deployment.id, created=deployment.created, owned_by=deployment.provider.id)


def _window(deployment: Deployment) -> ModelWindow:
    model = deployment.model
    return ModelWindow(
        id=deployment.id,
        context_length=model.context_length or CONTEXT_TOKENS_UNKNOWN,
        context_source=model.context_source,
        output_tokens_max=model.output_tokens_max,
    )


def _view(deployment: Deployment, prices: PriceList) -> ModelView:
    model, readiness = deployment.model, deployment.readiness()
    return ModelView(
        id=deployment.id,
        name=model.name or deployment.id,
        provider=deployment.provider.id,
        kind=model.kind,
        context_length=model.context_length or EMBEDDING_TOKENS_ASSUMED,
        context_source=model.context_source,
        output_tokens_max=model.output_tokens_max,
        capabilities=list(model.capabilities),
        builtin=model.builtin,
        starter=model.starter,
        status=readiness.status,
        progress=readiness.progress,
        detail=readiness.detail,
        priced=prices.knows(deployment.id),
    )
