"""Bodies of the agents' routes that no other service speaks."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from shared.contracts.agents import INSTRUCTIONS_CHARS_MAX, Access, RunLimits, ToolChoice
from shared.contracts.chat import ModelId

_NO_NUL = "^[^\\x00]*$"


class AgentPatch(BaseModel):
    """Body of PATCH /api/v1/agents/{id}: only what is present changes; `model` alone may be null."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="", min_length=1, max_length=100, pattern=_NO_NUL)
    description: str = Field(default="", max_length=500, pattern=_NO_NUL)
    instructions: str = Field(default="", max_length=INSTRUCTIONS_CHARS_MAX, pattern=_NO_NUL)
    model: ModelId | None = None
    tools: list[ToolChoice] = Field(default_factory=list[ToolChoice], max_length=32)
    knowledge_base_ids: list[UUID] = Field(default_factory=list[UUID], max_length=20)
    access: Access = "private"
    limits: RunLimits = Field(default_factory=RunLimits)
