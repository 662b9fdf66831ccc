"""Wire models of the agent-service: agents, tools, runs and their events. Additive only."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from shared.contracts.chat import (
    DoneEventData,
    ErrorEventData,
    LeftOutEventData,
    MessageError,
    ModelId,
    TextEventData,
    WaitingEventData,
)
from shared.contracts.chat import MessageUsage as RunUsage
from shared.contracts.runs import Citation, RunFile, StepEventData, ToolEventData

ASSISTANT_AGENT_ID = UUID("a0000000-0000-4000-8000-00000000a001")
"""The agent every installation has: all built-in tools, the model of the chat."""

INSTRUCTIONS_CHARS_MAX = 20_000
INPUT_CHARS_MAX = 1_000_000
_NO_NUL = "^[^\\x00]*$"

RunStatus = Literal["queued", "running", "awaiting_approval", "complete", "stopped", "failed"]
Access = Literal["private", "organisation"]
Approval = Literal["never", "always"]


class ToolChoice(BaseModel):
    """A tool an agent may call; `approval` says whether a person must agree to each call."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]
    approval: Approval = "never"


class RunLimits(BaseModel):
    """What one run may take at most."""

    model_config = ConfigDict(extra="forbid")

    steps_max: int = Field(default=10, ge=1, le=50)
    tokens_max: int = Field(
        default=100_000, ge=1, le=10_000_000, description="prompt and completion tokens of all steps"
    )
    cost_nano_max: int | None = Field(
        default=None, ge=0, description="nano-USD; null: only the budgets of billing"
    )
    duration_s_max: int = Field(default=600, ge=1, le=86_400)


class AgentFields(BaseModel):
    """What a person decides about an agent."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_NUL)]
    description: Annotated[str, Field(max_length=500, pattern=_NO_NUL)] = ""
    instructions: Annotated[str, Field(max_length=INSTRUCTIONS_CHARS_MAX, pattern=_NO_NUL)] = ""
    model: ModelId | None = Field(default=None, description="null: the model of the chat or run")
    tools: list[ToolChoice] = Field(default_factory=list[ToolChoice], max_length=32)
    knowledge_base_ids: list[UUID] = Field(default_factory=list[UUID], max_length=20)
    access: Access = "private"
    limits: RunLimits = Field(default_factory=RunLimits)


class Agent(AgentFields):
    """One agent. A built-in one belongs to nobody and cannot be changed."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    built_in: bool = False
    writable: bool
    created_at: datetime
    updated_at: datetime


class Tool(BaseModel):
    """A tool agents can be given. `source`: `built-in`, or the name of its MCP server."""

    name: str
    title: str
    description: str
    parameters: dict[str, Any] = Field(description="JSON Schema of the arguments")
    source: str
    available: bool = True
    unavailable_reason: str | None = None


class InputMessage(BaseModel):
    """One message of what came before."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(max_length=INPUT_CHARS_MAX)]


Text = Annotated[str, Field(min_length=1, max_length=INPUT_CHARS_MAX, pattern=_NO_NUL)]


class RunCreate(BaseModel):
    """Body of POST /api/v1/agents/{id}/runs: a text, or messages that end with one of the user."""

    model_config = ConfigDict(extra="forbid")

    input: (
        Annotated[str, Field(min_length=1, max_length=INPUT_CHARS_MAX)]
        | Annotated[list[InputMessage], Field(min_length=1, max_length=1000)]
    )
    model: ModelId | None = None
    knowledge_base_ids: list[UUID] = Field(default_factory=list[UUID], max_length=20)
    file_ids: list[UUID] = Field(default_factory=list[UUID], max_length=200)
    limits: RunLimits | None = Field(default=None, description="at most those of the agent")
    temperature: float | None = Field(default=None, ge=0, le=2)


class InternalRunCreate(RunCreate):
    """Body of POST /internal/v1/runs: chat begins a run under the id of the reply it writes. Safe
    to repeat.
    """

    run_id: UUID
    agent_id: UUID


class RunStep(BaseModel):
    """One recorded step of a run."""

    step: int
    attempt: int
    kind: Literal["model", "tool"]
    name: str
    status: Literal["running", "awaiting_approval", "done", "failed", "denied", "cut"]
    call_id: str | None = None
    arguments: dict[str, Any] | None = None
    result: str | None = None
    files: list[RunFile] = Field(default_factory=list[RunFile])
    usage: RunUsage | None = None
    dispatch_id: str | None = Field(default=None, description="under which billing knows a model step")
    started_at: datetime
    duration_ms: int | None = None


class Run(BaseModel):
    """One run. `usage` is the sum of its steps."""

    id: UUID
    agent_id: UUID
    agent_name: str
    model: str
    status: RunStatus
    input: str
    output: str
    finish_reason: str | None = Field(
        default=None,
        description="why the last answer ended, in the provider's word: `stop`, `length`, `content_filter`,"
        " `refusal` (the output is the refusal), `reasoning_only` (it thought and wrote nothing);"
        " `account_suspended`, `key_revoked` and the like when its person may no longer run anything; null"
        " while it is not known",
    )
    reasoning: str = Field(default="", description="what the models of its steps thought; empty in lists")
    left_out: LeftOutEventData | None = Field(
        default=None, description="what the model did not see; null when it saw all"
    )
    error: MessageError | None = None
    usage: RunUsage | None = None
    citations: list[Citation] = Field(default_factory=list[Citation])
    steps: list[RunStep] = Field(default_factory=list[RunStep], description="empty in lists")
    last_event_id: int
    created_at: datetime
    ended_at: datetime | None = None


class _Event(BaseModel):
    id: int = Field(
        description="the SSE id: 1, 2, 3 ... within a run, each stored before it is shown, never changed"
    )


class StepEvent(_Event):
    """A step begins."""

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


class DeltaEvent(_Event):
    """Text of the answer."""

    event: Literal["delta"]
    data: TextEventData


class ReasoningEvent(_Event):
    """Text of the model's reasoning."""

    event: Literal["reasoning"]
    data: TextEventData


class WaitingEvent(_Event):
    """The model loads or is busy."""

    event: Literal["waiting"]
    data: WaitingEventData


class LeftOutEvent(_Event):
    """What the model does not see of the conversation; comes before the text, and only when something was
    left out.
    """

    event: Literal["left_out"]
    data: LeftOutEventData


class UsageEvent(_Event):
    """What the run took, over all steps."""

    event: Literal["usage"]
    data: RunUsage


class ErrorEvent(_Event):
    """The run failed; `done` follows."""

    event: Literal["error"]
    data: ErrorEventData


class DoneEvent(_Event):
    """Last event of a run."""

    event: Literal["done"]
    data: DoneEventData


class RunEvent(
    RootModel[
        Annotated[
            StepEvent
            | ToolEvent
            | CitationEvent
            | DeltaEvent
            | ReasoningEvent
            | WaitingEvent
            | LeftOutEvent
            | UsageEvent
            | ErrorEvent
            | DoneEvent,
            Field(discriminator="event"),
        ]
    ]
):
    """One server-sent event of a run: `event:`, `id:` and `data:` (JSON of `data`)."""


class ApprovalDecision(BaseModel):
    """Body of POST /api/v1/agents/runs/{id}/approvals/{call_id}."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "deny"]


class CodeFile(BaseModel):
    """A file beside the code, by its plain name; content as base64."""

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\\\x00-\x1f]+$")]
    content_base64: str = Field(max_length=14_000_000)
    content_type: str | None = None


class CodeRequest(BaseModel):
    """Body of POST /api/v1/agents/code/execute."""

    model_config = ConfigDict(extra="forbid")

    language: Literal["python"] = "python"
    code: Annotated[str, Field(min_length=1, max_length=200_000)]
    files: list[CodeFile] = Field(default_factory=list[CodeFile], max_length=16)
    timeout_s: float | None = Field(default=None, gt=0, le=300)


CodeStatus = Literal["ok", "error", "timeout", "memory_exceeded", "output_exceeded", "killed"]


class CodeResult(BaseModel):
    """What a run of code gave. `result` is the repr of a last bare expression; `files` are those it wrote,
    plots among them.
    """

    status: CodeStatus
    stdout: str
    stderr: str
    result: str | None = None
    files: list[CodeFile] = Field(default_factory=list[CodeFile])
    truncated: bool = Field(default=False, description="output or files were cut at their limits")
    duration_ms: int
