"""Asking inference-service for one answer: each call under an id that is noted before it leaves, repeated
until one is dispatched.
"""

from contextlib import aclosing
from typing import Any, Protocol
from uuid import UUID

from shared.auth.principal import Principal
from shared.clients.completions import (
    CompletionRefusedError,
    Completions,
    Dispatched,
    ModelNotReadyError,
    RefusalText,
    Text,
    ToolCallPiece,
)
from shared.http import UpstreamConnectError, UpstreamError
from shared.replies.answers import ModelAnswer
from shared.replies.waiting import Waits

AnswerPart = Text | RefusalText | ToolCallPiece


class AnswerTooLongError(Exception):
    """The answer passed its bound; what came before is kept."""


class AnswerSink(Protocol):
    """Where an answer goes and where the ids of its calls are noted."""

    async def next_dispatch_id(self) -> UUID:
        """The id of the next call, noted where it outlives this process: whatever dies then, billing can be
        asked for the cost.
        """
        ...

    async def note_dispatch(self, dispatch_id: str) -> None:
        """Inference knows the call by this other id. A database that is away must not end a call that is paid
        for.
        """
        ...

    def take(self, part: AnswerPart) -> None:
        """Show the part. Raises: AnswerTooLongError."""
        ...


async def converse(
    completions: Completions,
    principal: Principal,
    body: dict[str, Any],
    *,
    answer: ModelAnswer,
    sink: AnswerSink,
    waits: Waits,
) -> None:
    """Stream one answer into `sink`. What was not dispatched is asked for again, what was is not.

    Raises:
        CompletionRefusedError: inference refused, or what is waited for took too long.
        AnswerTooLongError: `sink` takes no more.
        UpstreamError: inference did not answer, or broke off.
    """
    while True:
        try:
            await _ask(completions, principal, body, answer=answer, sink=sink)
            return
        except ModelNotReadyError as wait:
            await waits.model(wait)
        except UpstreamConnectError as error:
            await waits.service_away(error)


async def _ask(
    completions: Completions,
    principal: Principal,
    body: dict[str, Any],
    *,
    answer: ModelAnswer,
    sink: AnswerSink,
) -> None:
    dispatch_id = await sink.next_dispatch_id()
    answer.dispatch_id = str(dispatch_id)
    try:
        async with aclosing(completions.stream(principal, body, dispatch_id=dispatch_id)) as parts:
            async for part in parts:
                answer.note(part)
                if isinstance(part, AnswerPart):
                    sink.take(part)
                elif isinstance(part, Dispatched) and part.dispatch_id not in {None, answer.dispatch_id}:
                    answer.dispatch_id = part.dispatch_id
                    await sink.note_dispatch(str(part.dispatch_id))
    except (ModelNotReadyError, UpstreamConnectError):
        answer.dispatch_id = None
        raise
    except CompletionRefusedError as refusal:
        if not answer.dispatched and (refusal.error.status or 500) < 500:
            answer.dispatch_id = None  # refused before anything was sent to a provider
        raise
    if not answer.finished:
        raise UpstreamError("the stream ended before the answer did")
