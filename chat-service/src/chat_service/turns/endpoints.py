"""HTTP of turns and their streams."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.chat import ChatEvent, Message, MessageCreate, ReplyOptions
from shared.idempotency import IdempotencyKey, KeyedWrite
from shared.streams import DocumentedEvents, EventStream, SeenEventId

from chat_service.chats.addresses import ChatId
from chat_service.settings import ChatSettings
from chat_service.streams.cursor import Reply
from chat_service.streams.service import ReplyStreams
from chat_service.turns.dependencies import SettingsDep, StreamsDep, TurnsDep
from chat_service.turns.errors import Draining
from chat_service.turns.service import Started, TurnService

Reader = Annotated[Principal, Depends(require(Permission.CHATS_READ))]
Writer = Annotated[Principal, Depends(require(Permission.CHATS_WRITE))]
Asker = Annotated[Writer, Depends(require(Permission.MODELS_USE))]

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the finished reply, or with `Accept: text/event-stream` its events",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/ChatEvent"}}},
    }
}

_CONTINUE_ID = "go_on_api_v1_chats__chat_id__messages__message_id__continue_post"
"""Clients that are generated from the API name their function after it."""

router = APIRouter(prefix="/api/v1/chats/{chat_id}/messages", tags=["turns"])
deletion_router = APIRouter(prefix="/api/v1/chats", tags=["chats"])
"""Apart from the other routes of chats: what still writes in a chat ends with it."""


class _TurnAnswers:
    """How a started turn is answered: as events, or as the finished reply."""

    def __init__(
        self, request: Request, turns: TurnService, streams: ReplyStreams, settings: ChatSettings
    ) -> None:
        self._wants_events = "text/event-stream" in request.headers.get("accept", "")
        self._turns = turns
        self._streams = streams
        self._settings = settings

    async def of_turn(
        self, principal: Principal, start: Callable[[], Awaitable[Started]]
    ) -> Response | Message:
        """Start the turn and answer with it. Its place is taken first: whoever is refused has stored and
        started nothing.
        """
        with self._streams.open.place(principal) as place:
            started = await start()
            if self._wants_events:
                return self._stream(started.reply, started.after, on_close=place.keep())
            async for _ in self._streams.follow(started.reply, started.after):
                pass
        return await self._turns.read(principal, started.reply.chat_id, started.reply.message_id)

    def stream(self, principal: Principal, reply: Reply, after: int) -> EventStream:
        if self._streams.closing:
            raise Draining  # a stream that begins now would end without an event
        with self._streams.open.place(principal) as place:
            return self._stream(reply, after, on_close=place.keep())

    def _stream(self, reply: Reply, after: int, *, on_close: Callable[[], None]) -> EventStream:
        return EventStream(
            self._streams.follow(reply, after),
            write_timeout_s=self._settings.stream_write_timeout_s,
            on_close=on_close,
        )


# async: a class as a dependency would be built in a thread.
async def _answers(
    request: Request, turns: TurnsDep, streams: StreamsDep, settings: SettingsDep
) -> _TurnAnswers:
    return _TurnAnswers(request, turns, streams, settings)


Answers = Annotated[_TurnAnswers, Depends(_answers)]


@dataclass(frozen=True, slots=True)
class _FurtherReply:
    """What the routes are asked that write on below a message. `options` may be left out."""

    principal: Principal
    options: ReplyOptions
    write: KeyedWrite | None


async def _further_reply(
    request: Request, principal: Asker, body: ReplyOptions | None = None, key: IdempotencyKey = None
) -> _FurtherReply:
    options = body or ReplyOptions()
    write = KeyedWrite.of(key, options, principal=principal.actor_id, route=request.url.path)
    return _FurtherReply(principal, options, write)


FurtherReply = Annotated[_FurtherReply, Depends(_further_reply)]


@router.post("", summary="Send a message and get its reply", response_model=Message, responses=_EVENTS)
async def post_message(
    chat_id: ChatId,
    body: MessageCreate,
    request: Request,
    principal: Asker,
    answers: Answers,
    turns: TurnsDep,
    key: IdempotencyKey = None,
) -> Any:
    write = KeyedWrite.of(key, body, principal=principal.actor_id, route=request.url.path)
    return await answers.of_turn(principal, partial(turns.post, principal, chat_id, body, write=write))


@router.post(
    "/{message_id}/regenerate",
    summary="Another reply to the same message",
    response_model=Message,
    responses=_EVENTS,
)
async def regenerate(
    chat_id: ChatId, message_id: UUID, asked: FurtherReply, answers: Answers, turns: TurnsDep
) -> Any:
    start = partial(turns.regenerate, asked.principal, chat_id, message_id, asked.options, write=asked.write)
    return await answers.of_turn(asked.principal, start)


@router.post(
    "/{message_id}/continue",
    summary="Continue a reply that was cut off",
    response_model=Message,
    responses=_EVENTS,
    operation_id=_CONTINUE_ID,
)
async def continue_reply(
    chat_id: ChatId, message_id: UUID, asked: FurtherReply, answers: Answers, turns: TurnsDep
) -> Any:
    start = partial(
        turns.continue_reply, asked.principal, chat_id, message_id, asked.options, write=asked.write
    )
    return await answers.of_turn(asked.principal, start)


@deletion_router.delete("/{chat_id}", status_code=204, summary="Delete a chat with its messages")
async def delete_chat(chat_id: ChatId, principal: Writer, turns: TurnsDep) -> None:
    await turns.delete_chat(principal, chat_id)


@router.post("/{message_id}/stop", summary="Stop a reply; what it wrote is kept")
async def stop(chat_id: ChatId, message_id: UUID, principal: Writer, turns: TurnsDep) -> Message:
    return await turns.stop(principal, chat_id, message_id)


@router.get(
    "/{message_id}/stream",
    summary="The events of a reply, from any event id",
    response_class=DocumentedEvents,
    response_model=ChatEvent,
)
async def stream(
    chat_id: ChatId,
    message_id: UUID,
    principal: Reader,
    answers: Answers,
    turns: TurnsDep,
    seen: SeenEventId,
) -> Any:
    await turns.read(principal, chat_id, message_id)
    return answers.stream(principal, Reply(chat_id, message_id), seen)
