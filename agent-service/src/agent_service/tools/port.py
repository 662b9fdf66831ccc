"""What a tool is to the loop that calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from shared.auth.principal import Principal
from shared.contracts.runs import Citation


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom and over what a tool works. `citations_from` is the number of the next citation of the run."""

    principal: Principal
    run_id: UUID
    knowledge_base_ids: tuple[UUID, ...] = ()
    file_ids: tuple[UUID, ...] = ()
    citations_from: int = 1


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """A file a tool made."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave: `text` is what the model gets to read, bounded by the tool itself; `failed` marks it
    as an error message.
    """

    text: str
    failed: bool = False
    citations: tuple[Citation, ...] = ()
    files: tuple[ProducedFile, ...] = field(default=())


class Tool(Protocol):
    """One tool. Arguments were checked against `parameters` (JSON Schema) before `call`; expected failures
    are failed results.

    A call may be repeated after a crash: a tool that changes the world outside must say so with `repeatable`
    False, then it is not.
    """

    @property
    def name(self) -> str:
        """What the model calls it by: letters, digits, `_` and `-`, at most 64."""
        ...

    @property
    def title(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...

    @property
    def source(self) -> str:
        """`built-in` or the name of the MCP server."""
        ...

    @property
    def timeout_s(self) -> float: ...

    @property
    def repeatable(self) -> bool: ...

    @property
    def needs_approval(self) -> bool:
        """Whether the person of a run must agree to each call, whatever the agent's settings say."""
        ...

    async def call(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult: ...


class Toolbox(Protocol):
    """The tools there are, for one principal."""

    async def available(self, principal: Principal) -> list[Tool]: ...

    async def find(self, principal: Principal, names: tuple[str, ...]) -> list[Tool]:
        """Those of `names` that exist, in that order."""
        ...
