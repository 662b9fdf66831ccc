"""A turn whose reply the model writes in one go, from passages when there is something to look them up in."""

import asyncio
from contextlib import aclosing
from typing import Any

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
from shared.clock import monotonic_s
from shared.contracts.chat import MessageError, MessageUsage
from shared.contracts.runs import Citation, StepEventData
from shared.db import Database
from shared.http import UpstreamConnectError, UpstreamError, UpstreamTimeout

from chat_service.messages.history import Line, fit, to_prompt
from chat_service.messages.service import Ending
from chat_service.settings import ChatSettings
from chat_service.streams.fold import fold
from chat_service.turns import repository
from chat_service.turns.histories import Histories
from chat_service.turns.lookups import LookUps
from chat_service.turns.prompts import (
    OVERHEAD_BYTES,
    PASSAGES_SHARE,
    asked_text,
    numbered,
    question_of,
    replace_question,
    with_passages,
)
from chat_service.turns.queries import queries_of
from chat_service.turns.specs import Running, TurnSpec

_CONNECT_AGAIN_S = 0.5
_RETRY_LEAST_S = 0.1


class PlainWriter:
    """Writes replies by completions; one a process."""

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
        self._database = database
        self._completions = completions
        self._look_ups = look_ups
        self._histories = histories
        self._tasks = tasks
        self._settings = settings

    async def write(self, running: Running) -> Ending:
        """Write the reply into the live log. Raises: TurnFailedError, TimeoutError when it is cut."""
        try:
            await self._converse(running)
            _mark_sources(running)
            return Ending("complete")
        except CompletionRefusedError as refusal:
            return Ending("failed", error=refusal.error)
        except UpstreamError as error:
            return _broken(error, started=running.dispatch_id is not None or running.live.text_bytes > 0)

    async def _converse(self, running: Running) -> None:
        body = await self._request_body(running)
        started_s = monotonic_s()
        while True:
            waited_s = monotonic_s() - started_s
            try:
                await self._stream_once(running, body)
                return
            except ModelNotReadyError as wait:
                if waited_s >= self._settings.model_wait_max_s:
                    raise CompletionRefusedError(_still_not_ready(wait, waited_s)) from wait
                _show_waiting(running, wait)
                await asyncio.sleep(min(max(wait.retry_after_s, _RETRY_LEAST_S), self._settings.model_retry_max_s))
            except UpstreamConnectError:
                if waited_s >= self._settings.provider_connect_wait_max_s:
                    raise
                await asyncio.sleep(_CONNECT_AGAIN_S)

    async def _request_body(self, running: Running) -> dict[str, Any]:
        spec = running.spec
        bytes_max = await self._histories.bytes_max(spec)
        lines = await self._histories.lines(spec, bytes_max=bytes_max)
        if spec.go_on and spec.base_citations:
            known = [Citation.model_validate(citation) for citation in spec.base_citations]
            lines = replace_question(lines, with_passages(asked_text(question_of(lines), spec.filenames), known))
        elif spec.sources and not spec.go_on:
            lines = await self._looked_up(running, lines, bytes_max=bytes_max)
        return {"model": spec.model, "messages": to_prompt(fit(lines, bytes_max=bytes_max), go_on=spec.go_on), **spec.options}

    async def _looked_up(self, running: Running, lines: list[Line], *, bytes_max: int) -> list[Line]:
        """`lines` with passages before the question, each of them shown as a citation. Raises: TurnFailedError."""
        spec = running.spec
        asked = asked_text(question_of(lines), spec.filenames)
        running.live.emit("step", StepEventData(step=1, kind="retrieval", title="Searching documents").model_dump(mode="json"))
        passages = await self._look_ups.search(spec.principal, queries_of(lines, asked), spec.sources)
        room = min(bytes_max // PASSAGES_SHARE, bytes_max - len(asked.encode()) - OVERHEAD_BYTES)
        citations = numbered(passages, bytes_max=room)
        for citation in citations:
            running.live.emit("citation", citation.model_dump(mode="json"))
        return replace_question(lines, with_passages(asked, citations))

    async def _stream_once(self, running: Running, body: dict[str, Any]) -> None:
        live = running.live
        async with aclosing(self._completions.stream(running.spec.principal, body)) as parts:
            async for part in parts:
                match part:
                    case Text():
                        live.emit_text("reasoning" if part.reasoning else "delta", part.text)
                        if live.text_bytes > self._settings.reply_content_max_bytes:
                            raise CompletionRefusedError(too_long(self._settings.reply_content_max_bytes))
                    case RefusalText():
                        live.emit_text("delta", part.text)
                    case MessageUsage():
                        running.usage = part
                    case Finished():
                        running.finished = True
                    case Dispatched():
                        self._note_dispatch(running, part.dispatch_id)
                    case ToolCallPiece():
                        pass  # a plain turn offers no tools
        if not running.finished:
            raise UpstreamError("the stream ended before the answer did")

    def _note_dispatch(self, running: Running, dispatch_id: str | None) -> None:
        running.dispatch_id = dispatch_id
        if dispatch_id is not None:
            # Beside the stream: the first token does not wait for the database.
            self._tasks.spawn(self._store_dispatch(running.spec, dispatch_id), name=f"dispatch of turn {running.spec.turn_id}")

    async def _store_dispatch(self, spec: TurnSpec, dispatch_id: str) -> None:
        async with self._database.transaction() as session:
            await repository.note_dispatch(session, turn_id=spec.turn_id, dispatch_id=dispatch_id)


def _mark_sources(running: Running) -> None:
    """Cite for a model that answered from passages and cited none."""
    folded = fold(running.live.events)
    known = folded.citations or running.spec.base_citations
    text = running.live.base_text + folded.text
    marks = missing_marks(text, [(int(citation["n"]), str(citation["text"])) for citation in known])
    if marks:
        running.live.emit_text("delta", marks)


def _show_waiting(running: Running, wait: ModelNotReadyError) -> None:
    progress = None if wait.progress is None else wait.progress.model_dump(exclude_none=True)
    shown = repr((wait.reason, progress))
    if shown != running.waiting_shown:
        running.waiting_shown = shown
        running.live.emit("waiting", {"reason": wait.reason, "progress": progress})


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
        detail = "the connection to the model broke while it answered; what it wrote is kept, continue goes on from there"
        return Ending("interrupted", error=MessageError(code="model_disconnected", detail=detail, status=502))
    detail = "the inference-service does not answer; your message is kept, regenerate tries again"
    return Ending("failed", error=MessageError(code="inference_unavailable", detail=detail, status=503))


def _still_not_ready(wait: ModelNotReadyError, waited_s: float) -> MessageError:
    detail = f"the model was not ready within {waited_s:.0f} s; regenerate tries again, or choose another model"
    return MessageError(code=wait.reason, detail=detail, status=503)
