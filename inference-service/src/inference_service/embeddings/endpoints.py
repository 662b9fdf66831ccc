"""POST /v1/embeddings as a hot route."""

from typing import cast

from shared.auth.permissions import Permission
from shared.background import TaskTracker, beside
from shared.contracts.billing import DISPATCH_HEADER
from shared.hotroutes import ClientGone, HotRequest, HotRoute

from inference_service.embeddings.priority import priority_of
from inference_service.embeddings.request import parse_embeddings
from inference_service.embeddings.schemas import EmbeddingsAnswer, EmbeddingsBody
from inference_service.embeddings.service import Embeddings
from inference_service.settings import InferenceSettings


async def create_embeddings(hot: HotRequest) -> None:
    """A client that leaves pays for what was computed; a provider computes all of it."""
    settings = cast("InferenceSettings", hot.state.settings)
    embeddings = cast("Embeddings", hot.state.embeddings)
    request = parse_embeddings(
        await hot.body(settings.request_bytes_max), inputs_max=settings.embedding_inputs_max
    )
    deployment = await embeddings.prepare(request, hot.principal)
    async with beside(_left(hot), "client of embeddings") as leaving:
        work = embeddings.embed(
            request,
            deployment,
            hot.principal,
            traceparent=hot.trace.traceparent,
            priority=priority_of(hot),
            left=leaving.done,
        )
        # To its end: a cancelled request task must not take the settlement with it.
        done = await cast("TaskTracker", hot.state.tasks).complete(work, "embeddings")
    if done is None:
        raise ClientGone
    headers = [(DISPATCH_HEADER, done.dispatch_id.encode())]
    if done.charge.cost_nano is not None:
        headers.append((b"x-atrium-cost-nano", str(done.charge.cost_nano).encode()))
    await hot.send_json(200, done.body, headers)


async def _left(hot: HotRequest) -> None:
    """Ends when the client has gone."""
    while (await hot.receive())["type"] != "http.disconnect":
        pass


ROUTE = HotRoute(
    method="POST",
    path="/v1/embeddings",
    handler=create_embeddings,
    summary="Turn texts into vectors",
    permission=Permission.MODELS_USE,
    metered=True,
    request_model=EmbeddingsBody,
    response_model=EmbeddingsAnswer,
    envelope="openai",
)
