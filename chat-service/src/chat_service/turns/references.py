"""Objects of other services that a turn refers to: authorised before its rows are written, compared when they
are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.clients.windows import ANSWER_SHARE, ContextWindow
from shared.contracts.agents import Agent
from shared.contracts.chat import Attachment

from chat_service.chats.models import ChatRow
from chat_service.messages.errors import MessageTooLong

_SURELY_READ_BYTES = 4096
"""A message of this size fits every model worth the name; its window need not be asked for."""

BYTES_PER_TOKEN_MOST = 4
"""Text in a language that tokenizers know well. What has fewer bytes a token and passes here is refused by
its provider.
"""


class ReferencesMissing(Exception):
    """The rows of a turn refer to an agent or files that were not authorised yet; nothing was written."""

    def __init__(self, *, agent_id: UUID | None, file_ids: Sequence[UUID]) -> None:
        super().__init__("objects of other services are not authorised yet")
        self.agent_id = agent_id
        self.file_ids = file_ids


class WindowMissing(Exception):
    """How much the model of a turn reads was not asked for yet; nothing was written."""

    def __init__(self, model: str) -> None:
        super().__init__(f"how much {model} reads is not known yet")
        self.model = model


@dataclass(frozen=True, slots=True)
class AuthorisedReferences:
    """What the caller may use: the chat's agent and the files of the message, and how much models read."""

    agent: Agent | None = None
    attachments: Sequence[Attachment] = ()
    windows: Mapping[str, ContextWindow] = field(default_factory=dict[str, ContextWindow])

    def check(self, chat: ChatRow, file_ids: Sequence[UUID] = ()) -> None:
        """Raises: ReferencesMissing unless these are the chat's agent and the files `file_ids`."""
        agent_id = None if self.agent is None else self.agent.id
        if agent_id != chat.agent_id or {attachment.file_id for attachment in self.attachments} != set(
            file_ids
        ):
            raise ReferencesMissing(agent_id=chat.agent_id, file_ids=file_ids)

    def check_window(self, model: str, content: str) -> None:
        """A message is refused that the model could not read even alone; only a window that somebody named
        counts.

        Raises: MessageTooLong, WindowMissing.
        """
        size_bytes = len(content.encode())
        if size_bytes <= _SURELY_READ_BYTES:
            return
        window = self.windows.get(model)
        if window is None:
            raise WindowMissing(model)
        tokens, tokens_max = (
            size_bytes // BYTES_PER_TOKEN_MOST,
            window.context_tokens - window.context_tokens // ANSWER_SHARE,
        )
        if window.known and tokens > tokens_max:
            raise MessageTooLong(model=model, tokens=tokens, tokens_max=tokens_max)
