"""POST /v1/rerank as a hot route."""

from typing import cast

from shared.auth.permissions import Permission
from shared.background import TaskTracker
from shared.contracts.billing import DISPATCH_HEADER
from shared.hotroutes import HotRequest, HotRoute

from inference_service.embeddings.priority import priority_of
from inference_service.rerank.request import parse_rerank
from inference_service.rerank.schemas import RerankAnswer, RerankBody
from inference_service.rerank.service import Reranking
from inference_service.settings import InferenceSettings


async def create_rerank(hot: HotRequest) -> None:
    """The work is short and runs to its end: a client that leaves pays for what was computed."""
    settings = cast("InferenceSettings", hot.state.settings)
    reranking = cast("Reranking", hot.state.reranking)
    request = parse_rerank(await hot.body(settings.request_bytes_max))
    deployment = await reranking.prepare(request, hot.principal)
    work = reranking.rerank(
        request, deployment, hot.principal, traceparent=hot.trace.traceparent, priority=priority_of(hot)
    )
    # To its end: a cancelled request task must not take the settlement with it.
    done = await cast("TaskTracker", hot.state.tasks).complete(work, "rerank")
    headers = [(DISPATCH_HEADER, done.dispatch_id.encode())]
    if done.charge.cost_nano is not None:
        headers.append((b"x-atrium-cost-nano", str(done.charge.cost_nano).encode()))
    await hot.send_json(200, done.body, headers)


ROUTE = HotRoute(
    method="POST",
    path="/v1/rerank",
    handler=create_rerank,
    summary="Order texts by how well they answer a question",
    permission=Permission.MODELS_USE,
    metered=True,
    request_model=RerankBody,
    response_model=RerankAnswer,
    envelope="openai",
)
