"""A turn whose reply the model writes in one go, from passages when there is something to look them up in."""

from functools import partial
from typing import Any
from uuid import UUID

from shared.background import TaskTracker
from shared.citations import missing_marks
from shared.clients.completions import CompletionRefusedError, Completions, RefusalText, Text, ToolCallPiece
from shared.contracts.chat import LeftOutEventData, LoadProgress, MessageError
from shared.contracts.runs import Citation, StepEventData
from shared.db import Database
from shared.http import UpstreamError
from shared.ids import uuid7
from shared.replies.conversation import AnswerPart, AnswerTooLongError, converse
from shared.replies.failures import MODEL_DISCONNECTED, broken_off
from shared.replies.fitting import Budget, PromptLine, fit
from shared.replies.waiting import Waits

from chat_service.messages.service import ReplyEnding
from chat_service.settings import ChatSettings
from chat_service.streams.fold import fold
from chat_service.writing.continuations import to_prompt, with_end_of_reply
from chat_service.writing.dispatches import DispatchNotes
from chat_service.writing.histories import Histories
from chat_service.writing.lookups import LookUps
from chat_service.writing.prompts import (
    asked_text,
    numbered,
    passages_room,
    question_of,
    replace_question,
    with_passages,
)
from chat_service.writing.queries import queries_of
from chat_service.writing.specs import Running


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

    async def write(self, running: Running) -> ReplyEnding:
        """Write the reply into the live log. Raises: TurnFailedError."""
        waits = Waits(self._settings, partial(_show_waiting, running))
        sink = _Sink(running, self._dispatches, bytes_max=self._settings.reply_content_max_bytes)
        try:
            body = await self._request_body(running, waits)
            await converse(
                self._completions, running.spec.principal, body, answer=running.answer, sink=sink, waits=waits
            )
        except AnswerTooLongError:
            return ReplyEnding("failed", error=too_long(self._settings.reply_content_max_bytes))
        except CompletionRefusedError as refusal:
            return ReplyEnding("failed", error=refusal.error)
        except UpstreamError as error:
            broken = broken_off(error, dispatched=running.answer.dispatched)
            return ReplyEnding("interrupted" if broken.code == MODEL_DISCONNECTED else "failed", error=broken)
        _mark_sources(running)
        return _ending(running.answer.finish_reason)

    async def _request_body(self, running: Running, waits: Waits) -> dict[str, Any]:
        spec = running.spec
        budget = await self._histories.budget(spec)
        read, running.history = running.history, None
        history = await waits.through(lambda: self._histories.read(spec, budget, read))
        lines, dropped = history.lines, 0
        if spec.continues and spec.base.citations:
            known = [Citation.model_validate(citation) for citation in spec.base.citations]
            lines = replace_question(
                lines, with_passages(asked_text(question_of(lines), spec.filenames), known)
            )
        elif spec.sources and not spec.continues:
            lines, dropped = await self._looked_up(running, lines, budget=budget, waits=waits)
        if spec.continues:
            lines = with_end_of_reply(lines, bytes_max=budget.bytes_max)
        sent = fit(lines, bytes_max=budget.bytes_max)
        _show_left_out(running, budget.left_out(messages=history.count - len(sent), passages=dropped))
        return {"model": spec.model, "messages": to_prompt(sent, continues=spec.continues), **spec.options}

    async def _looked_up(
        self, running: Running, lines: list[PromptLine], *, budget: Budget, waits: Waits
    ) -> tuple[list[PromptLine], int]:
        """`lines` with passages before the question, each shown as a citation; and how many did not fit.
        Raises: TurnFailedError.
        """
        spec = running.spec
        asked = asked_text(question_of(lines), spec.filenames)
        running.live.emit(
            "step",
            StepEventData(step=1, kind="retrieval", title="Searching documents").model_dump(mode="json"),
        )
        passages = await waits.through(
            lambda: self._look_ups.search(spec.principal, queries_of(lines, asked), spec.sources)
        )
        citations = numbered(passages, bytes_max=passages_room(asked, bytes_max=budget.bytes_max))
        for citation in citations:
            running.live.emit("citation", citation.model_dump(mode="json"))
        return replace_question(lines, with_passages(asked, citations)), len(passages) - len(citations)


class _Sink:
    """Takes the answer of one plain turn into its live log."""

    def __init__(self, running: Running, dispatches: DispatchNotes, *, bytes_max: int) -> None:
        self._running = running
        self._dispatches = dispatches
        self._bytes_max = bytes_max
        self._asked_before = False

    async def next_dispatch_id(self) -> UUID:
        """That of the first call stands in the turn's row; those of further ones are noted meanwhile."""
        if not self._asked_before:
            self._asked_before = True
            return self._running.spec.dispatch_id
        dispatch_id = uuid7()
        await self.note_dispatch(str(dispatch_id))
        return dispatch_id

    async def note_dispatch(self, dispatch_id: str) -> None:
        self._dispatches.note(self._running.spec.turn_id, dispatch_id)

    def take(self, part: AnswerPart) -> None:
        live = self._running.live
        match part:
            case Text():
                live.emit_text("reasoning" if part.reasoning else "delta", part.text)
            case RefusalText():
                live.emit_text("delta", part.text)
            case ToolCallPiece():
                return  # a plain turn offers no tools
        if live.text_bytes > self._bytes_max:
            raise AnswerTooLongError


def _show_waiting(running: Running, reason: str, progress: LoadProgress | None) -> None:
    shown = None if progress is None else progress.model_dump(exclude_none=True)
    running.live.emit("waiting", {"reason": reason, "progress": shown})


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


def _ending(reason: str | None) -> ReplyEnding:
    """How a reply ends whose stream came to its end."""
    if reason == "error":
        detail = (
            "the provider broke the answer off with an error; what it wrote is kept, and it can be "
            "continued from there"
        )
        return ReplyEnding(
            "failed", finish_reason=reason, error=MessageError(code="model_failed", detail=detail, status=502)
        )
    return ReplyEnding("complete", finish_reason=reason)


def too_long(limit_bytes: int) -> MessageError:
    """The reply passed its bound."""
    return MessageError(
        code="reply_too_long",
        detail=f"the reply passed {limit_bytes} bytes and was ended; what it wrote is kept",
        status=413,
    )
