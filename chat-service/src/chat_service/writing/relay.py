"""A turn that an agent writes: its run's events become the reply's events, one for one, so that any process
can take it over.
"""

import asyncio
import logging
from contextlib import aclosing
from functools import partial

from shared.clients.agents import AgentClient
from shared.clock import monotonic_s
from shared.contracts.agents import (
    InputMessage,
    InternalRunCreate,
)
from shared.contracts.chat import FinalStatus, LoadProgress, MessageError
from shared.errors import AppError, NotFound, TooManyRequests, Unavailable
from shared.http import UpstreamError
from shared.replies.fitting import fit
from shared.replies.waiting import Waits

from chat_service.agent_runs.cancellations import RunCancellations
from chat_service.messages.service import ReplyEnding
from chat_service.references.service import References
from chat_service.settings import ChatSettings
from chat_service.streams.live import LiveReply
from chat_service.streams.run_events import MalformedRunError
from chat_service.writing.continuations import to_prompt
from chat_service.writing.histories import Histories
from chat_service.writing.lookups import message_error
from chat_service.writing.plain import too_long
from chat_service.writing.prompts import asked_text, question_of, replace_question
from chat_service.writing.specs import Running, RunOrder, TurnFailedError, TurnSpec

_AGAIN_LEAST_S = 0.1
_AGAIN_MOST_S = 2.0
_WORTH_TELLING_S = 0.5
_BUSY = "agents_busy"
_STEADY_S = 30.0
"""A connection that held this long was one: the wait for the agent-service starts afresh when it breaks."""

log = logging.getLogger(__name__)


class _Away:
    """How long the agent-service has been away, and how long to wait before the next try. The reader is told
    of it.
    """

    def __init__(self, live: LiveReply, wait_max_s: float) -> None:
        self._live = live
        self._wait_max_s = wait_max_s
        self._since_s: float | None = None
        self._pause_s = _AGAIN_LEAST_S

    def back(self) -> None:
        self._since_s, self._pause_s = None, _AGAIN_LEAST_S

    async def wait(self, reason: str = "service_away") -> bool:
        """Pause before the next try; False: it has been away for too long."""
        now_s = monotonic_s()
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s >= self._wait_max_s:
            return False
        if now_s - self._since_s >= _WORTH_TELLING_S and self._live.notice is None:
            self._live.tell_waiting(reason)
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _AGAIN_MOST_S)
        return True


class AgentRelay:
    """Begins runs and relays their events. One instance per process."""

    def __init__(
        self,
        agents: AgentClient,
        references: References,
        cancellations: RunCancellations,
        *,
        histories: Histories,
        settings: ChatSettings,
    ) -> None:
        self._agents = agents
        self._references = references
        self._cancellations = cancellations
        self._histories = histories
        self._settings = settings

    async def write(self, running: Running, order: RunOrder) -> ReplyEnding:
        """Follow the run to its end. Raises: TurnFailedError."""
        if running.live.last_id == running.spec.first_event_id and not await self._begin(running, order):
            return ReplyEnding("stopped")
        running.run = "started"
        away = _Away(running.live, self._settings.agent_wait_max_s)
        while True:
            connected_s = monotonic_s()
            try:
                if (status := await self._follow(running, away)) is not None:
                    running.run = "ended"
                    return ReplyEnding(
                        status, finish_reason=running.reader.finish_reason, error=running.reader.error
                    )
            except (UpstreamError, Unavailable, TooManyRequests) as error:
                log.info(
                    "the events of a run broke off; they are asked for again",
                    extra={"reason": type(error).__name__},
                )
            except AppError as error:
                raise TurnFailedError(message_error(error)) from error
            if monotonic_s() - connected_s >= _STEADY_S:
                away.back()
            if running.stopped:
                return ReplyEnding("stopped")
            if not await away.wait():
                return ReplyEnding(
                    "interrupted", error=_unavailable("what it wrote is kept, regenerate makes another reply")
                )

    async def _begin(self, running: Running, order: RunOrder) -> bool:
        """Start the run, or find it started; False: the turn was stopped first. Raises: TurnFailedError."""
        spec = running.spec
        body = await Waits(self._settings, partial(_show_waiting, running)).through(
            lambda: self._body(running, order)
        )
        away = _Away(running.live, self._settings.agent_wait_max_s)
        filtered = False
        while not running.stopped:
            running.run = "started"
            try:
                await self._agents.start(spec.principal, body)
                break
            except Unavailable as error:
                busy = error.code == _BUSY
                if not await away.wait(_BUSY if busy else "service_away"):
                    failure = (
                        message_error(error)
                        if busy
                        else _unavailable("your message is kept, regenerate tries again")
                    )
                    raise TurnFailedError(failure) from None
            except NotFound as error:
                running.run = "none"
                body, filtered = await self._without_deleted(spec, body, error, again=filtered), True
            except AppError as error:
                running.run = "none"
                raise TurnFailedError(message_error(error)) from error
        if running.stopped and running.run == "started":
            # The stop may have reached the agent-service before the start did.
            await self._cancellations.ask(spec.principal, spec.message_id)
        return not running.stopped or running.run == "started"

    async def _body(self, running: Running, order: RunOrder) -> InternalRunCreate:
        spec = running.spec
        budget = await self._histories.budget(spec)
        history = await self._histories.read(spec, budget, running.history)
        running.history = None
        asked = asked_text(question_of(history.lines), spec.filenames)
        sent = fit(replace_question(history.lines, asked), bytes_max=budget.bytes_max)
        if (left_out := budget.left_out(messages=history.count - len(sent))) is not None:
            # The ids of this turn's events are the run's, so it is stored, and joins what the run says of
            # itself.
            running.reader.left_out = left_out
            await self._histories.note_left_out(spec, left_out)
        prompt = to_prompt(sent, continues=False)
        return InternalRunCreate(
            run_id=spec.message_id,
            agent_id=order.agent_id,
            input=[InputMessage.model_validate(message) for message in prompt],
            model=order.model,
            knowledge_base_ids=list(spec.sources.knowledge_base_ids),
            file_ids=list(spec.sources.file_ids),
            temperature=spec.options.get("temperature"),
        )

    async def _without_deleted(
        self, spec: TurnSpec, body: InternalRunCreate, error: NotFound, *, again: bool
    ) -> InternalRunCreate:
        """The order without files and knowledge that were deleted since they were chosen. Raises:
        TurnFailedError.
        """
        try:
            left = await self._references.still_there(spec.principal, spec.sources)
        except AppError as refusal:
            raise TurnFailedError(message_error(refusal)) from refusal
        if again or left == spec.sources:
            raise TurnFailedError(message_error(error)) from error
        return body.model_copy(
            update={"knowledge_base_ids": list(left.knowledge_base_ids), "file_ids": list(left.file_ids)}
        )

    async def _follow(self, running: Running, away: _Away) -> FinalStatus | None:
        """Relay what one connection gives; the run's final status, or None when the connection ended before
        it.
        """
        spec, reader = running.spec, running.reader
        async with aclosing(
            self._agents.events(spec.principal, spec.message_id, after=reader.after)
        ) as events:
            async for event in events:
                try:
                    status = reader.take(event)
                except MalformedRunError:
                    raise TurnFailedError(_malformed()) from None
                away.back()
                if status is not None:
                    return status
                if running.live.text_bytes > self._settings.reply_content_max_bytes:
                    raise TurnFailedError(too_long(self._settings.reply_content_max_bytes))
        return None


def _show_waiting(running: Running, reason: str, progress: LoadProgress | None) -> None:
    """To those who read now: the ids of this turn's events are the run's."""
    running.live.tell_waiting(reason, None if progress is None else progress.model_dump(exclude_none=True))


def _malformed() -> MessageError:
    detail = "the agent-service sent what this chat-service cannot read; bring both to the same version"
    return MessageError(code="upstream_malformed", detail=detail, status=502)


def _unavailable(what_now: str) -> MessageError:
    return MessageError(
        code="agent_unavailable", detail=f"the agent-service does not answer; {what_now}", status=503
    )
