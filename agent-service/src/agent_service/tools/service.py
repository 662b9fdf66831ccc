"""Which tools there are for whom: the built-in ones, and those of other sources such as MCP servers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.agents import Tool as ToolView

from agent_service.tools.port import Tool


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool and, when nobody can call it now, why not."""

    tool: Tool
    unavailable_reason: str | None = None


async def _no_reason() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A tool of the service itself: what its caller must be allowed, and whether it works on this machine."""

    tool: Tool
    permission: Permission | None = None
    unavailable: Callable[[], Awaitable[str | None]] = _no_reason


class ToolSource(Protocol):
    """Where tools come from beside the built-in ones."""

    async def offers(self, principal: Principal) -> list[Offer]:
        """The tools this principal's organisation may use, those that do not work now among them."""
        ...

    async def find(self, principal: Principal, names: tuple[str, ...]) -> list[Tool]:
        """Those of `names` that this source has."""
        ...


class ToolRegistry:
    """All tools of the process; the Toolbox of runs."""

    def __init__(self, built_in: Sequence[BuiltIn], sources: Sequence[ToolSource]) -> None:
        self._built_in = tuple(built_in)
        self._sources = tuple(sources)

    async def offers(self, principal: Principal) -> list[Offer]:
        """Every tool the principal can see, built-in ones first."""
        own = [Offer(item.tool, await _why_not(item, principal)) for item in self._built_in]
        others = await asyncio.gather(*(source.offers(principal) for source in self._sources))
        return own + [offer for part in others for offer in part]

    async def available(self, principal: Principal) -> list[Tool]:
        """Every tool the principal can call."""
        return [offer.tool for offer in await self.offers(principal) if offer.unavailable_reason is None]

    async def find(self, principal: Principal, names: tuple[str, ...]) -> list[Tool]:
        """Those of `names` that the principal may use, in that order, each once. One that does not work now
        says so when it is called.
        """
        found = {
            item.tool.name: item.tool
            for item in self._built_in
            if item.tool.name in names and _allows(item, principal)
        }
        missing = tuple(name for name in names if name not in found and not self._is_built_in(name))
        if missing:
            for part in await asyncio.gather(*(source.find(principal, missing) for source in self._sources)):
                found |= {tool.name: tool for tool in part}
        return [found[name] for name in dict.fromkeys(names) if name in found]

    def _is_built_in(self, name: str) -> bool:
        return any(item.tool.name == name for item in self._built_in)


def _allows(item: BuiltIn, principal: Principal) -> bool:
    return item.permission is None or principal.allows(item.permission)


async def _why_not(item: BuiltIn, principal: Principal) -> str | None:
    if item.permission is not None and not _allows(item, principal):
        return f"it needs the permission {item.permission.value}"
    return await item.unavailable()


def view(offer: Offer) -> ToolView:
    """The tool as the API shows it."""
    tool = offer.tool
    return ToolView(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=dict(tool.parameters),
        source=tool.source,
        available=offer.unavailable_reason is None,
        unavailable_reason=offer.unavailable_reason,
    )
