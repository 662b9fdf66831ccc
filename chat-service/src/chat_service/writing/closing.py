"""The one transaction that ends a turn."""

from shared.access import EndReason
from shared.contracts.chat import MessageUsage
from shared.db import Database
from shared.replies.failures import access_lost
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agent_runs import cancellations, deletions
from chat_service.agent_runs.cancellations import RunCancellations
from chat_service.messages import service as messages
from chat_service.messages.service import ReplyEnding
from chat_service.streams import repository as journal_rows
from chat_service.streams.cursor import done_data, error_data
from chat_service.streams.live import Chunk, Event, chunks_of, data_event
from chat_service.writing import repository
from chat_service.writing.specs import Running

EVENT_ID_GAP = 1_000_000
"""Readers may have seen ids that were never journaled; later ids start beyond them, so that no id means two
things.
"""


class Closing:
    """Ends turns of one process."""

    def __init__(self, database: Database, run_cancellations: RunCancellations, *, owner: str) -> None:
        self._database = database
        self._cancellations = run_cancellations
        self._owner = owner

    async def store(self, running: Running, ending: ReplyEnding, chunks: list[Chunk]) -> list[Event]:
        """Fold the turn into its reply; returns its last events. Nothing is written when the turn was taken
        away.
        """
        async with self._database.transaction() as session:
            last = await self._close(session, running, ending, chunks)
        if _run_continues(running):
            self._cancellations.kick()
        return last

    async def _close(
        self, session: AsyncSession, running: Running, ending: ReplyEnding, chunks: list[Chunk]
    ) -> list[Event]:
        live, spec = running.live, running.spec
        owned = await repository.end(
            session,
            turn_id=spec.turn_id,
            owner=self._owner,
            status=ending.status,
            dispatch_id=running.answer.dispatch_id,
            tokens_known=ending.usage is not None,
            cost_pending=_charged(running) and (ending.usage is None or ending.usage.cost_nano is None),
        )
        if not owned:
            if _run_continues(running) and await repository.get(session, turn_id=spec.turn_id) is None:
                # The chat was deleted, and its deletion may have come to the agent-service before the run
                # began.
                await deletions.note(session, spec.principal, spec.chat_id, [spec.message_id])
            return []
        if _run_continues(running):
            await cancellations.note(session, spec.principal, spec.message_id)
        run_ended = running.run == "ended"
        before_id = live.last_id if spec.run is None or run_ended else live.last_id + EVENT_ID_GAP
        count = 1 if run_ended else 1 + (ending.usage is not None) + (ending.error is not None)
        total = await messages.close(
            session,
            chat_id=spec.chat_id,
            message_id=spec.message_id,
            ending=ending,
            stream_to=before_id + count,
        )
        last = _done(before_id, ending) if run_ended else last_events(before_id, ending, total)
        await journal_rows.add(session, [*chunks, *chunks_of(spec.turn_id, last)])
        return last


def ended_for(reason: EndReason) -> ReplyEnding:
    """How a turn ends whose person or key lost access."""
    return ReplyEnding("failed", finish_reason=reason.value, error=access_lost(reason))


def _charged(running: Running) -> bool:
    """Whether the turn may have cost something."""
    return running.answer.dispatch_id is not None or running.run != "none"


def _run_continues(running: Running) -> bool:
    """Whether the turn ends before its run did."""
    return running.run == "started"


def _done(after_id: int, ending: ReplyEnding) -> list[Event]:
    return [data_event(after_id + 1, "done", done_data(ending.status, ending.finish_reason))]


def last_events(after_id: int, ending: ReplyEnding, total: MessageUsage | None) -> list[Event]:
    """The events that end a turn, with the ids after `after_id`."""
    events: list[Event] = []
    if ending.usage is not None and total is not None:
        events.append(data_event(after_id + 1, "usage", total.model_dump(mode="json")))
    if ending.error is not None:
        events.append(
            data_event(after_id + len(events) + 1, "error", error_data(ending.error.model_dump(mode="json")))
        )
    return events + _done(after_id + len(events), ending)
