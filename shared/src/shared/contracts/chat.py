"""Wire models of the chat-service: chats, messages and the events of a streaming reply. Additive only."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from shared.contracts.runs import Citation, StepEventData, ToolEventData

TITLE_CHARS_MAX = 200
MODEL_CHARS_MAX = 200
CONTENT_CHARS_MAX = 1_000_000

_NO_NUL = "^[^\\x00]*$"
"""PostgreSQL text cannot hold NUL."""

Role = Literal["user", "assistant"]
MessageStatus = Literal["streaming", "complete", "stopped", "interrupted", "failed"]
FinalStatus = Literal["complete", "stopped", "interrupted", "failed"]


def _one_line(title: object) -> object:
    return " ".join(title.split()) if isinstance(title, str) else title


Title = Annotated[
    str, BeforeValidator(_one_line), Field(min_length=1, max_length=TITLE_CHARS_MAX, pattern=_NO_NUL)
]
"""One trimmed line; line breaks and runs of spaces become one space."""

KnowledgeBaseIds = Annotated[list[UUID], Field(max_length=20)]
ModelId = Annotated[str, Field(min_length=1, max_length=MODEL_CHARS_MAX, pattern=_NO_NUL)]


class ChatCreate(BaseModel):
    """Body of POST /api/v1/chats. Without a title the first words of the first message become one."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    model: ModelId | None = None
    knowledge_base_ids: KnowledgeBaseIds = Field(default_factory=list[UUID])
    agent_id: UUID | None = None


class ChatPatch(BaseModel):
    """Body of PATCH /api/v1/chats/{id}: only what is present changes."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    model: ModelId | None = None
    archived: bool | None = None
    knowledge_base_ids: KnowledgeBaseIds | None = Field(
        default=None, description="what replies are to be looked up in"
    )
    agent_id: UUID | None = Field(
        default=None, description="who writes replies from now on; null: the bare model"
    )
    current_message_id: UUID | None = Field(
        default=None, description="any message of the chat: its newest leaf becomes current"
    )


class Chat(BaseModel):
    """One chat; `current_message_id` is the leaf of the branch that is shown."""

    id: UUID
    title: str
    model: str | None
    current_message_id: UUID | None
    archived: bool
    knowledge_base_ids: list[UUID] = Field(default_factory=list[UUID])
    agent_id: UUID | None = None
    created_at: datetime
    updated_at: datetime


class MessageError(BaseModel):
    """Why a reply failed, in the words of the service that refused; `extra` carries its further members."""

    code: str
    detail: str
    status: int | None = None
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])


class LeftOutEventData(BaseModel):
    """What of the chat and of the passages found did not fit what the model can read."""

    messages: int = Field(ge=0, description="older messages of the branch that the model did not see")
    passages: int = Field(ge=0, description="passages that were found and did not fit")
    window_tokens: int = Field(
        ge=0, description="what the model can read and write in all, or the installation's cap below that"
    )


class MessageUsage(BaseModel):
    """What a reply took, over all its turns. Null: not known yet."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_nano: int | None = Field(default=None, description="nano-USD")
    remaining_nano: int | None = Field(
        default=None, description="nano-USD left to the payer after this reply; null when billing is away"
    )


class Attachment(BaseModel):
    """A file that was sent with a message."""

    file_id: UUID
    filename: str
    content_type: str
    size_bytes: int


class Message(BaseModel):
    """One message. While `status` is `streaming`, `content` is what was there before the running turn; its
    stream has the rest.
    """

    id: UUID
    chat_id: UUID
    parent_id: UUID | None
    role: Role
    content: str
    model: str | None
    status: MessageStatus
    error: MessageError | None = None
    usage: MessageUsage | None = None
    attachments: list[Attachment] = Field(default_factory=list[Attachment])
    citations: list[Citation] = Field(default_factory=list[Citation])
    finish_reason: str | None = Field(
        default=None,
        description="why the reply ended, in the provider's word: `stop`, `length` (it can be continued),"
        " `content_filter`, `refusal` (the content is the refusal), `reasoning_only` (it thought and wrote"
        " nothing), `account_suspended`, `key_revoked`; null while it is not known",
    )
    reasoning: str = Field(
        default="", description="what the model thought before it wrote, cut at the installation's bound"
    )
    left_out: LeftOutEventData | None = Field(
        default=None, description="what the model did not see; null when it saw all"
    )
    steps: list[StepEventData | ToolEventData] = Field(
        default_factory=list[StepEventData | ToolEventData],
        description="what was done for the reply, in order; tool calls as they ended",
    )
    agent_id: UUID | None = Field(
        default=None, description="the agent that wrote the reply; its run has the id of this message"
    )
    sibling_ids: list[UUID] = Field(
        description="the messages with the same parent, this one included, oldest first"
    )
    created_at: datetime
    updated_at: datetime


class MessageCreate(BaseModel):
    """Body of POST /api/v1/chats/{id}/messages. To edit a message, post with the parent_id of the
    edited one.
    """

    model_config = ConfigDict(extra="forbid")

    content: Annotated[str, Field(min_length=1, max_length=CONTENT_CHARS_MAX)]
    parent_id: UUID | None = Field(
        default=None, description="reply this follows; absent: the current leaf; null: a new first message"
    )
    model: ModelId | None = None
    attachments: Annotated[list[UUID], Field(max_length=20)] = Field(
        default_factory=list[UUID], description="ids of own files"
    )
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    temperature: float | None = Field(default=None, ge=0, le=2)


class ReplyOptions(BaseModel):
    """Body of regenerate and continue; absent members keep what the chat has."""

    model_config = ConfigDict(extra="forbid")

    model: ModelId | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    temperature: float | None = Field(default=None, ge=0, le=2)


class MessageEventData(BaseModel):
    """The stored user message and the id of the reply that follows."""

    message: Message
    reply_id: UUID


class LoadProgress(BaseModel):
    """How far the built-in model's download is."""

    downloaded_bytes: int | None = None
    total_bytes: int | None = None
    eta_s: float | None = None


class WaitingEventData(BaseModel):
    """The reply cannot be written yet; the turn continues by itself. `service_away`: a service restarts,
    nothing was dispatched yet.
    `agents_busy`: as many agents are at work as may be.
    """

    reason: Literal["model_loading", "model_busy", "service_away", "agents_busy"]
    progress: LoadProgress | None = None


class TextEventData(BaseModel):
    """Text to append."""

    text: str


class ResetEventData(BaseModel):
    """The text so far: it replaces all the reader has of the reply. Steps, citations, reasoning and what was
    left out follow as events.
    """

    text: str


class DoneEventData(BaseModel):
    """How the turn ended."""

    status: FinalStatus
    finish_reason: str | None = Field(default=None, description="as Message.finish_reason")


class ErrorEventData(BaseModel):
    """A problem after the stream began; further members are those of the problem (limit, resets_at, action
    ...).
    """

    model_config = ConfigDict(extra="allow")

    code: str
    detail: str
    status: int | None = None


class _Event(BaseModel):
    id: int = Field(description="the SSE id; increases within a reply, a replay may skip ids")


class MessageEvent(_Event):
    """First event of a turn."""

    event: Literal["message"]
    data: MessageEventData


class WaitingEvent(_Event):
    """The model loads or is busy, or a service is away for a moment."""

    event: Literal["waiting"]
    data: WaitingEventData


class DeltaEvent(_Event):
    """Text of the reply."""

    event: Literal["delta"]
    data: TextEventData


class ReasoningEvent(_Event):
    """Text of the model's reasoning; stored with the reply."""

    event: Literal["reasoning"]
    data: TextEventData


class StepEvent(_Event):
    """A step of the reply begins: a look-up, a model step or a tool call of an agent."""

    event: Literal["step"]
    data: StepEventData


class ToolEvent(_Event):
    """A tool call and how far it is."""

    event: Literal["tool"]
    data: ToolEventData


class CitationEvent(_Event):
    """A passage that was handed to the model."""

    event: Literal["citation"]
    data: Citation


class LeftOutEvent(_Event):
    """What the model does not see; comes before the text, and only when something was left out."""

    event: Literal["left_out"]
    data: LeftOutEventData


class UsageEvent(_Event):
    """What the reply took; comes before `done` when it is known."""

    event: Literal["usage"]
    data: MessageUsage


class DoneEvent(_Event):
    """Last event of a turn."""

    event: Literal["done"]
    data: DoneEventData


class ErrorEvent(_Event):
    """The turn failed; `done` follows."""

    event: Literal["error"]
    data: ErrorEventData


class ResetEvent(_Event):
    """The id the reader sent is not in the journal: start again from this text."""

    event: Literal["reset"]
    data: ResetEventData


class ChatEvent(
    RootModel[
        Annotated[
            MessageEvent
            | WaitingEvent
            | StepEvent
            | ToolEvent
            | CitationEvent
            | LeftOutEvent
            | DeltaEvent
            | ReasoningEvent
            | UsageEvent
            | DoneEvent
            | ErrorEvent
            | ResetEvent,
            Field(discriminator="event"),
        ]
    ]
):
    """One server-sent event of a reply: `event:`, `id:` and `data:` (JSON of `data`)."""
