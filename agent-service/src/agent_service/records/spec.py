"""What a run was asked to do, as it is stored with it: later changes of its agent do not reach it."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from shared.contracts.agents import InputMessage, RunLimits, ToolChoice


class RunSpec(BaseModel):
    """`messages` end with what is to be answered."""

    instructions: str
    tools: list[ToolChoice]
    knowledge_base_ids: list[UUID]
    file_ids: list[UUID]
    limits: RunLimits
    temperature: float | None
    messages: list[InputMessage]

    def approval_of(self, tool_name: str) -> bool:
        """Whether a person must agree to each call of the tool."""
        return any(choice.name == tool_name and choice.approval == "always" for choice in self.tools)


class ModelCall(BaseModel):
    """One tool call of a model step; `id` is unique within the run, `arguments` the text the model wrote.

    `extra` holds what the provider wants back with the call, such as the signature of a thought.
    """

    id: str
    name: str
    arguments: str
    extra: dict[str, Any] = Field(default_factory=dict[str, Any])
