"""One attempt of a model step under way: where its answer goes."""

import logging
from dataclasses import dataclass, field
from uuid import UUID

from shared.clients.completions import RefusalText, Text, ToolCallPiece
from shared.clock import monotonic_s
from shared.contracts.chat import LoadProgress
from shared.db import Database
from shared.ids import uuid7
from shared.outages import is_outage
from shared.replies.conversation import AnswerPart, AnswerTooLongError

from agent_service.events.live import LiveRun
from agent_service.loop.answer import StepAnswer
from agent_service.loop.history import RunHistory
from agent_service.records import step_repository
from agent_service.records.step_repository import StepKey

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ModelAttempt:
    """`last`: no tools are offered. `broken`: its connection was lost in the middle, so that it may be
    repeated.
    """

    database: Database
    live: LiveRun
    key: StepKey
    history: RunHistory
    last: bool
    answer: StepAnswer
    started_s: float = field(default_factory=monotonic_s)
    broken: bool = False
    _has_shown: bool = False

    async def next_dispatch_id(self) -> UUID:
        """Noted before the call leaves."""
        dispatch_id = uuid7()
        await self._store_dispatch(str(dispatch_id))
        return dispatch_id

    async def note_dispatch(self, dispatch_id: str) -> None:
        """Noted again with the end of the step, so a database that is away does not end the call."""
        try:
            await self._store_dispatch(dispatch_id)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning(
                "a dispatch is noted later, as the database is away", extra={"dispatch_id": dispatch_id}
            )

    def take(self, part: AnswerPart) -> None:
        """Raises: AnswerTooLongError."""
        answer = self.answer
        match part:
            case Text(reasoning=True):
                self.live.writer.add_text("reasoning", answer.add_text(part))
            case Text():
                self.show(answer.add_text(part))
            case RefusalText():
                self.show(answer.add_refusal(part))
            case ToolCallPiece():
                answer.add_call_piece(part)
        if answer.too_long:
            raise AnswerTooLongError

    def show(self, text: str) -> None:
        """Text of the answer, set off from that of earlier steps."""
        if not text:
            return
        if not self._has_shown and self.history.has_text(self.key.step):
            text = f"\n\n{text}"
        self._has_shown = True
        self.live.writer.add_text("delta", text)

    def show_waiting(self, reason: str, progress: LoadProgress | None) -> None:
        """What the model is waited for."""
        shown = None if progress is None else progress.model_dump(exclude_none=True)
        self.live.writer.add("waiting", {"reason": reason, "progress": shown})

    async def _store_dispatch(self, dispatch_id: str) -> None:
        async with self.database.transaction() as session:
            await step_repository.change(session, self.key, {"dispatch_id": dispatch_id})
