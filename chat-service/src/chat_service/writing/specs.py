"""What one turn needs to run, and a turn under way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.chat import LeftOutEventData, MessageError
from shared.ids import uuid7
from shared.replies.answers import ModelAnswer
from shared.replies.stopping import WorkScope

from chat_service.messages.service import BranchHistory
from chat_service.references.service import ReplySources
from chat_service.streams.fold import Folded
from chat_service.streams.live import LiveReply
from chat_service.streams.run_events import RunReader
from chat_service.writing.models import TurnKind

RunState = Literal["none", "started", "ended"]
"""Of an agent's run: `started`, it may exist; `ended`, its last event is known, so its usage and error were
shown already.
"""


@dataclass(frozen=True, slots=True)
class RunOrder:
    """An agent writes the reply. `model`: for an agent that names none."""

    agent_id: UUID
    model: str | None


@dataclass(frozen=True, slots=True)
class TurnSpec:
    """What one turn needs; `leaf_id` ends the history, `message_event` is the data of its first event.

    `base` is what the reply held before; a turn that `continues` a text answers from its citations instead of
    looking up again. `left_out`: what an earlier process of this turn did not send to the run. `dispatch_id`:
    under which billing is to know the first call of a plain turn; it is stored with the turn's row.
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
    sources: ReplySources = field(default_factory=ReplySources)
    run: RunOrder | None = None
    continues: bool = False
    base: Folded = field(default_factory=Folded)
    left_out: LeftOutEventData | None = None
    dispatch_id: UUID = field(default_factory=uuid7)

    @property
    def filenames(self) -> list[str]:
        """Names of the files that were sent with the message."""
        return [
            str(attachment["filename"]) for attachment in self.message_event["message"].get("attachments", ())
        ]

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

    history: BranchHistory
    bytes_max: int


@dataclass(slots=True)
class Running:
    """A turn under way. `history` is what was read of it when it started, until it is sent.

    `scope` ends it from outside. What a plain reply's model says beside the text is in `answer`; of an
    agent's reply `run` is how far its run is, and `reader` takes its events.
    """

    spec: TurnSpec
    live: LiveReply
    scope: WorkScope = field(default_factory=WorkScope)
    history: Read | None = None
    answer: ModelAnswer = field(default_factory=ModelAnswer)
    run: RunState = "none"
    reader: RunReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = RunReader(self.live, left_out=self.spec.left_out)

    @property
    def stopped(self) -> bool:
        """Whether somebody stopped it, and nothing else ended it since."""
        return self.scope.cause == "stopped"


NEEDED: Mapping[TurnKind, Sequence[Permission]] = {
    "plain": (Permission.CHATS_WRITE, Permission.MODELS_USE),
    "agent": (Permission.CHATS_WRITE, Permission.AGENTS_RUN),
}
"""What a person must be permitted for a turn of the kind to go on."""


def kind_of(spec: TurnSpec) -> TurnKind:
    """A turn without an order for a run is plain."""
    return "plain" if spec.run is None else "agent"


class TurnFailedError(Exception):
    """The turn ends here, for a reason the person can act on."""

    def __init__(self, error: MessageError) -> None:
        super().__init__(error.code)
        self.error = error
