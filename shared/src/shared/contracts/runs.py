"""What a reply is made of beside its text: steps, tool calls, files they made, citations. Chat and agents use
the same words.
"""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

TOOL_RESULT_CHARS_MAX = 16_000
CITATIONS_MAX = 50

StepKind = Literal["model", "tool", "retrieval"]
ToolStatus = Literal["awaiting_approval", "running", "done", "failed", "denied"]


class Citation(BaseModel):
    """A passage the model was given; `n` is the number it is cited by, as in [1]."""

    n: int = Field(ge=1)
    file_id: UUID
    chunk_id: UUID
    filename: str
    page: int | None = Field(default=None, description="first page of the passage, from 1")
    heading: str | None = None
    score: float
    text: str


class StepEventData(BaseModel):
    """A step begins. `attempt` above 1: the step was cut and runs again, so the text of its earlier attempt
    is void.
    """

    step: int = Field(ge=1)
    attempt: int = Field(default=1, ge=1)
    kind: StepKind
    title: str = Field(max_length=200, description="what is done, for people")


class RunFile(BaseModel):
    """A file a tool made; `url` is a path of the gateway that needs the reader's token."""

    file_id: UUID
    name: str
    content_type: str
    size_bytes: int
    url: str


class ToolEventData(BaseModel):
    """A tool call and how far it is; the same `call_id` comes again with each change."""

    step: int = Field(ge=1)
    call_id: str
    name: str
    title: str
    status: ToolStatus
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    result: str | None = Field(
        default=None, max_length=TOOL_RESULT_CHARS_MAX, description="what the model gets to read"
    )
    files: list[RunFile] = Field(default_factory=list[RunFile])
    duration_ms: int | None = None
