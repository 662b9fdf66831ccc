"""A turn whose reply the model writes in one go, from passages when there is something to look them up in."""

from contextlib import aclosing
from typing import Any
from uuid import UUID

from shared.background import TaskTracker
from shared.citations import missing_marks
from shared.clients.completions import (
    CompletionRefusedError,
    Completions,
    Dispatched,
    Finished,
    ModelNotReadyError,
    RefusalText,
    Text,
    ToolCallPiece,
)
from shared.contracts.chat import LeftOutEventData, MessageError, MessageUsage
from shared.contracts.runs import Citation, StepEventData
from shared.db import Database
from shared.http import UpstreamConnectError, UpstreamError, UpstreamTimeout
from shared.ids import uuid7

from chat_service.messages.history import Line, to_prompt, with_end_of_reply
from chat_service.messages.service import Ending
from chat_service.settings import ChatSettings
from chat_service.streams.fold import fold
from chat_service.streams.live import Kind
from chat_service.turns.dispatches import DispatchNotes
from chat_service.turns.histories import Budget, Histories, fitting
from chat_service.turns.lookups import LookUps
from chat_service.turns.prompts import asked_text, numbered, passages_room, question_of, replace_question, with_passages
from chat_service.turns.queries import queries_of
from chat_service.turns.specs import Running
from chat_service.turns.waits import Waits

_CONTINUABLE_EMPTY = frozenset({"length", "content_filter"})
"""Reasons that say more about a reply without text than that it only thought."""


class PlainWriter:
    """Writes replies by completions. One instance per process."""

    def __init__(
        self,
        database: Database,
        completions: Completions,
        look_ups: LookUps,
        *,
        histories: Histories,
        tasks: TaskTracker,
        settings: ChatSettings,
    ) -> None:
        self._dispatches = DispatchNotes(database, tasks)
        self._completions = completions
        self._look_ups = look_ups
        self._histories = histories
        self._settings = settings

    async def write(self, running: Running) -> Ending:
        """Write the reply into the live log. Raises: TurnFailedError, TimeoutError when it is cut."""
        try:
            await self._converse(running)
            _mark_sources(running)
            return _ending(running)
        except CompletionRefusedError as refusal:
            return Ending("failed", error=refusal.error)
        except UpstreamError as error:
            return _broken(error, started=running.dispatch_id is not None or running.live.text_bytes > 0)

    async def _converse(self, running: Running) -> None:
        waits = Waits(running, self._settings)
        body = await self._request_body(running, waits)
        while True:
            try:
                await self._stream_once(running, body)
                return
            except ModelNotReadyError as wait:
                await waits.model(wait)
            except UpstreamConnectError as error:
                await waits.service_away(error)

    async def _request_body(self, running: Running, waits: Waits) -> dict[str, Any]:
        spec = running.spec
        budget = await self._histories.budget(spec)
        begun, running.history = running.history, None
        history = await waits.through(lambda: self._histories.read(spec, budget, begun))
        lines, dropped = history.lines, 0
        if spec.go_on and spec.base.citations:
            known = [Citation.model_validate(citation) for citation in spec.base.citations]
            lines = replace_question(lines, with_passages(asked_text(question_of(lines), spec.filenames), known))
        elif spec.sources and not spec.go_on:
            lines, dropped = await self._looked_up(running, lines, budget=budget, waits=waits)
        if spec.go_on:
            lines = with_end_of_reply(lines, bytes_max=budget.bytes_max)
        sent = fitting(lines, budget)
        _show_left_out(running, budget.left_out(history, sent, passages=dropped))
        return {"model": spec.model, "messages": to_prompt(sent, go_on=spec.go_on), **spec.options}

    async def _looked_up(self, running: Running, lines: list[Line], *, budget: Budget, waits: Waits) -> tuple[list[Line], int]:
        """`lines` with passages before the question, each shown as a citation; and how many did not fit. Raises: TurnFailedError."""
        spec = running.spec
        asked = asked_text(question_of(lines), spec.filenames)
        running.live.emit("step", StepEventData(step=1, kind="retrieval", title="Searching documents").model_dump(mode="json"))
        passages = await waits.through(lambda: self._look_ups.search(spec.principal, queries_of(lines, asked), spec.sources))
        citations = numbered(passages, bytes_max=passages_room(asked, bytes_max=budget.bytes_max))
        for citation in citations:
            running.live.emit("citation", citation.model_dump(mode="json"))
        return replace_question(lines, with_passages(asked, citations)), len(passages) - len(citations)

    async def _stream_once(self, running: Running, body: dict[str, Any]) -> None:
        """One call, under an id that is noted before it leaves: whatever dies then, billing can be asked what the call cost."""
        dispatch_id = self._chosen_id(running)
        running.asked_id = str(dispatch_id)
        try:
            await self._read(running, body, dispatch_id)
        except (ModelNotReadyError, UpstreamConnectError):
            running.asked_id = None
            raise
        except CompletionRefusedError as refusal:
            if running.dispatch_id is None and (refusal.error.status or 500) < 500:
                running.asked_id = None  # refused before anything was sent to a provider
            raise

    def _chosen_id(self, running: Running) -> UUID:
        """That of the first call stands in the turn's row; those of further ones are noted meanwhile."""
        running.tries += 1
        if running.tries == 1:
            return running.spec.dispatch_id
        dispatch_id = uuid7()
        self._dispatches.note(running.spec.turn_id, str(dispatch_id))
        return dispatch_id

    async def _read(self, running: Running, body: dict[str, Any], dispatch_id: UUID) -> None:
        async with aclosing(self._completions.stream(running.spec.principal, body, dispatch_id=dispatch_id)) as parts:
            async for part in parts:
                match part:
                    case Text():
                        self._write(running, "reasoning" if part.reasoning else "delta", part.text)
                    case RefusalText():
                        running.refused = True
                        self._write(running, "delta", part.text)
                    case MessageUsage():
                        running.usage = part
                    case Finished():
                        # `[DONE]` comes after the reason and says less.
                        running.finish_reason = running.finish_reason or part.reason
                    case Dispatched():
                        self._note_dispatch(running, part.dispatch_id)
                    case ToolCallPiece():
                        pass  # a plain turn offers no tools
        if running.finish_reason is None:
            raise UpstreamError("the stream ended before the answer did")

    def _write(self, running: Running, kind: Kind, text: str) -> None:
        running.live.emit_text(kind, text)
        if running.live.text_bytes > self._settings.reply_content_max_bytes:
            raise CompletionRefusedError(too_long(self._settings.reply_content_max_bytes))

    def _note_dispatch(self, running: Running, dispatch_id: str | None) -> None:
        running.dispatch_id = dispatch_id
        if dispatch_id is not None and dispatch_id != running.asked_id:
            self._dispatches.note(running.spec.turn_id, dispatch_id)


def _mark_sources(running: Running) -> None:
    """Cite for a model that answered from passages and cited none."""
    folded = fold(running.live.events)
    known = folded.citations or running.spec.base.citations
    text = running.live.base_text + folded.text
    marks = missing_marks(text, [(int(citation["n"]), str(citation["text"])) for citation in known])
    if marks:
        running.live.emit_text("delta", marks)


def _show_left_out(running: Running, left_out: LeftOutEventData | None) -> None:
    if left_out is not None:
        running.live.emit("left_out", left_out.model_dump(mode="json"))


def _ending(running: Running) -> Ending:
    """How a reply ends whose stream came to its end."""
    reason = "refusal" if running.refused and running.finish_reason != "error" else running.finish_reason
    if reason == "error":
        detail = "the provider broke the answer off with an error; what it wrote is kept, and it can be continued from there"
        return Ending("failed", finish_reason=reason, error=MessageError(code="model_failed", detail=detail, status=502))
    wrote = any(event.kind == "delta" and event.text.strip() for event in running.live.events)
    if not wrote and reason not in _CONTINUABLE_EMPTY and any(event.kind == "reasoning" for event in running.live.events):
        reason = "reasoning_only"
    return Ending("complete", finish_reason=reason)


def too_long(limit_bytes: int) -> MessageError:
    """The reply passed its bound."""
    return MessageError(
        code="reply_too_long", detail=f"the reply passed {limit_bytes} bytes and was ended; what it wrote is kept", status=413
    )


def _broken(error: UpstreamError, *, started: bool) -> Ending:
    """Inference did not answer, fell silent, or went away in the middle."""
    if isinstance(error, UpstreamTimeout) and error.sent:
        detail = "the model was silent for too long and the reply was ended; what it wrote is kept"
        return Ending("failed", error=MessageError(code="model_timeout", detail=detail, status=504))
    if started:
        detail = "the connection to the model broke while it answered; what it wrote is kept, and it can be continued from there"
        return Ending("interrupted", error=MessageError(code="model_disconnected", detail=detail, status=502))
    detail = "the inference-service does not answer; your message is kept, regenerate tries again"
    return Ending("failed", error=MessageError(code="inference_unavailable", detail=detail, status=503))
