"""POST /v1/chat/completions as a hot route."""

from typing import cast
from uuid import UUID

from shared.auth.permissions import Permission, Role
from shared.background import TaskTracker
from shared.contracts.billing import DISPATCH_HEADER
from shared.errors import AppError, openai_error, render_openai
from shared.hotroutes import HotRequest, HotRoute

from inference_service.completions.downstream import Headers
from inference_service.completions.request import RequestLimits, parse_chat
from inference_service.completions.schemas import ChatCompletion, ChatCompletionRequest
from inference_service.completions.service import Completions
from inference_service.providers.protocol import Json
from inference_service.settings import InferenceSettings

_STREAM_HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_CHOOSERS = frozenset({"agent-service", "chat-service"})
_JSON_TYPE = (b"content-type", b"application/json")


class OpenAIDownstream:
    """Writes to the ASGI connection; see completions/downstream.py."""

    def __init__(self, hot: HotRequest) -> None:
        self._hot = hot

    async def answer(self, body: bytes, headers: Headers) -> None:
        await self._hot.send_bytes(200, body, [_JSON_TYPE, *headers])

    async def refuse(self, error: AppError) -> None:
        status, headers, body = render_openai(self._shown(error), request_id=self._hot.request_id)
        await self._hot.send_bytes(status, body, headers)

    async def begin(self, headers: Headers) -> None:
        await self._hot.send(
            {"type": "http.response.start", "status": 200, "headers": [*_STREAM_HEADERS, *headers]}
        )

    async def write(self, events: bytes) -> None:
        await self._hot.send({"type": "http.response.body", "body": events, "more_body": True})

    async def end(self, events: bytes) -> None:
        await self._hot.send({"type": "http.response.body", "body": events})

    def error_event(self, error: AppError) -> Json:
        return openai_error(self._shown(error), request_id=self._hot.request_id)

    def _shown(self, error: AppError) -> AppError:
        """With what only those may read who can change it."""
        if error.operator_detail and self._hot.principal.role is Role.ADMIN:
            error.extra["operator_detail"] = error.operator_detail
        return error


def _chosen_id(hot: HotRequest) -> UUID | None:
    """The id that a turn or run has noted for this dispatch, so that its cost is found even when its process
    dies now.
    """
    if hot.principal.service not in _CHOOSERS:
        return None  # anybody else could name one whose hold is paid for
    chosen = next((value for name, value in hot.scope["headers"] if name == DISPATCH_HEADER), b"")
    try:
        return UUID(chosen.decode("ascii"))
    except ValueError:
        return None


async def create_chat_completion(hot: HotRequest) -> None:
    """The connection is watched here while the exchange runs in a task of its own."""
    settings = cast("InferenceSettings", hot.state.settings)
    limits = RequestLimits(messages_max=settings.messages_max, choices_max=settings.choices_max)
    request = parse_chat(await hot.body(settings.request_bytes_max), limits)
    completions = cast("Completions", hot.state.completions)
    exchange = await completions.prepare(
        request,
        hot.principal,
        OpenAIDownstream(hot),
        traceparent=hot.trace.traceparent,
        dispatch_id=_chosen_id(hot),
    )
    cast("TaskTracker", hot.state.tasks).spawn(completions.run(exchange), "chat completion")
    try:
        # ASGI: this message comes when the client has left, and also once the answer is complete.
        while (await hot.receive())["type"] != "http.disconnect":
            pass
    finally:
        exchange.leave()


ROUTE = HotRoute(
    method="POST",
    path="/v1/chat/completions",
    handler=create_chat_completion,
    summary="Answer a conversation",
    permission=Permission.MODELS_USE,
    metered=True,
    request_model=ChatCompletionRequest,
    response_model=ChatCompletion,
    envelope="openai",
)
