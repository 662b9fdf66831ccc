"""What one turn needs to run, and a turn under way."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from shared.access import EndReason
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.chat import LeftOutEventData, MessageError, MessageUsage
from shared.ids import uuid7

from chat_service.messages.service import History
from chat_service.references.service import Sources
from chat_service.streams.fold import Folded
from chat_service.streams.live import LiveReply
from chat_service.turns.models import TurnKind

Cut = Literal["stopped", "ended", "interrupted", "lost", "released"]


@dataclass(frozen=True, slots=True)
class RunOrder:
    """An agent writes the reply. `model`: for an agent that names none."""

    agent_id: UUID
    model: str | None


@dataclass(frozen=True, slots=True)
class TurnSpec:
    """What one turn needs; `leaf_id` ends the history, `message_event` is the data of its first event.

    `base` is what the reply held before; a turn that continues (`go_on`) answers from its citations instead of looking up again.
    `left_out`: what an earlier process of this turn did not send to the run. `dispatch_id`: under which billing is to know the first call
    of a plain turn; it is stored with the turn's row.
    """

    turn_id: UUID
    chat_id: UUID
    message_id: UUID
    principal: Principal
    model: str
    leaf_id: UUID
    first_event_id: int
    message_event: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sources: Sources = field(default_factory=Sources)
    run: RunOrder | None = None
    go_on: bool = False
    base: Folded = field(default_factory=Folded)
    left_out: LeftOutEventData | None = None
    dispatch_id: UUID = field(default_factory=uuid7)

    @property
    def filenames(self) -> list[str]:
        """Names of the files that were sent with the message."""
        return [str(attachment["filename"]) for attachment in self.message_event["message"].get("attachments", ())]

    def request(self) -> dict[str, Any]:
        """What another process needs beside the turn's row to take the turn over; JSON."""
        return {
            "options": dict(self.options),
            "model": None if self.run is None else self.run.model,
            "knowledge_base_ids": [str(object_id) for object_id in self.sources.knowledge_base_ids],
            "file_ids": [str(object_id) for object_id in self.sources.file_ids],
        }


@dataclass(frozen=True, slots=True)
class Read:
    """A history that was read with room for `bytes_max`."""

    history: History
    bytes_max: int


@dataclass(slots=True)
class Running:
    """A turn under way. `history` is what was read of it when it started, until it is sent.

    `cut` says why it was ended from outside, `end_reason` why its person or key may not go on ("ended"). `begun`: an agent's run may
    exist. `told`: its last event is known, so its usage and error were shown already. `asked_id` is the id of a call to the model that
    was made and may have cost something, `dispatch_id` that of one that was answered.
    """

    spec: TurnSpec
    live: LiveReply
    history: Read | None = None
    scope: asyncio.Timeout | None = None
    cut: Cut | None = None
    end_reason: EndReason | None = None
    stop_wait_s: float = 0.0
    tries: int = 0
    asked_id: str | None = None
    dispatch_id: str | None = None
    usage: MessageUsage | None = None
    error: MessageError | None = None
    finish_reason: str | None = None
    refused: bool = False
    left_out: LeftOutEventData | None = None
    begun: bool = False
    told: bool = False
    waiting_shown: str = ""

    @property
    def billed_as(self) -> str | None:
        """The id under which billing may know a call of this turn."""
        return self.dispatch_id or self.asked_id

    def end(self, cut: Cut) -> None:
        """End the turn at its next await; the first reason stays. A stopped run gets `stop_wait_s` to end by itself."""
        stopping = self.cut == "stopped" and self.stop_wait_s > 0
        if stopping and cut == "stopped":
            return  # its time runs already
        if self.cut is None or stopping:
            self.cut = cut
        self.expire()

    def end_access(self, reason: EndReason) -> None:
        """End the turn because its person or key lost access; nothing is waited for."""
        if self.cut is None or self.cut == "stopped":
            self.cut, self.end_reason = "ended", reason
        self.expire()

    def expire(self) -> None:
        """Let the scope end as `cut` says."""
        # A stop comes twice (from the request and by NOTIFY), and a scope that expires takes no new time.
        if self.cut is not None and self.scope is not None and not self.scope.expired():
            wait_s = self.stop_wait_s if self.cut == "stopped" else 0.0
            self.scope.reschedule(asyncio.get_running_loop().time() + wait_s)


NEEDED: Mapping[TurnKind, Sequence[Permission]] = {
    "plain": (Permission.CHATS_WRITE, Permission.MODELS_USE),
    "agent": (Permission.CHATS_WRITE, Permission.AGENTS_RUN),
}
"""What a person must be permitted for a turn of the kind to go on."""


def kind_of(spec: TurnSpec) -> TurnKind:
    """A turn without an order for a run is plain."""
    return "plain" if spec.run is None else "agent"


def end_reason_of(text: str | None) -> EndReason | None:
    """The reason noted on a turn; None when there is none, or a newer process knows what it means."""
    return EndReason(text) if text in set(EndReason) else None


class ServiceAwayError(Exception):
    """A service did not answer; asked again it may. `failure` is how the turn ends when it stays away."""

    def __init__(self, failure: "TurnFailedError") -> None:
        super().__init__(failure.error.code)
        self.failure = failure


class TurnFailedError(Exception):
    """The turn ends here, for a reason the person can act on."""

    def __init__(self, error: MessageError) -> None:
        super().__init__(error.code)
        self.error = error
