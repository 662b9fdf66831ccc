"""What a server lists, turned into tools: names that models accept, schemas that can be trusted, descriptions
of bounded length.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from agent_service.mcp.port import Approval, RemoteTool, Server
from agent_service.tools.schemas import SchemaRefused, safe_schema

SERVER_NAME_PATTERN = r"^[a-z0-9]+(?:[_-][a-z0-9]+)*$"
"""No two underscores in a row, so that `<server>__<tool>` has one reading."""

_NAME_CHARS_MAX = 64
_DIGEST_CHARS = 8
_DESCRIPTION_CHARS_MAX = 1_024
_TITLE_CHARS_MAX = 100
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One tool. `refused` says why it cannot be offered; its parameters are empty then.

    `needs_approval`: the person of a run must agree to each call.
    """

    name: str
    remote_name: str
    title: str
    description: str
    parameters: Mapping[str, Any]
    repeatable: bool
    needs_approval: bool
    refused: str | None = None


def build(server: Server, listed: Sequence[RemoteTool]) -> tuple[CatalogueEntry, ...]:
    """The tools of `server` within its allow-list; of two with one name the first."""
    entries: dict[str, CatalogueEntry] = {}
    for tool in listed:
        if server.tools is None or tool.name in server.tools:
            entry = _entry(server, tool)
            entries.setdefault(entry.name, entry)
    return tuple(entries.values())


def tool_name(server_name: str, remote_name: str) -> str:
    """`<server>__<tool>`; what had to be changed carries a digest of the original, so the same tool always
    has the same name.
    """
    plain = f"{server_name}__{remote_name}"
    name = _NOT_IN_NAMES.sub("_", plain)
    if name == plain and len(name) <= _NAME_CHARS_MAX:
        return name
    digest = sha256(remote_name.encode("utf-8", "replace")).hexdigest()[:_DIGEST_CHARS]
    return f"{name[: _NAME_CHARS_MAX - _DIGEST_CHARS - 1]}-{digest}"


def server_of(name: str) -> str:
    """The server a tool's name begins with; empty when it names none."""
    server, separator, _ = name.partition("__")
    return server if separator else ""


def _entry(server: Server, tool: RemoteTool) -> CatalogueEntry:
    parameters: dict[str, Any] = {}
    refused = None
    try:
        parameters = safe_schema(tool.schema)
    except SchemaRefused as error:
        refused = str(error)
    title = _clean(tool.title or tool.name, _TITLE_CHARS_MAX)
    return CatalogueEntry(
        name=tool_name(server.name, tool.name),
        remote_name=tool.name,
        title=title,
        description=_clean(tool.description, _DESCRIPTION_CHARS_MAX) or title,
        parameters=parameters,
        repeatable=tool.repeatable,
        needs_approval=_needs_approval(server.approval, tool),
        refused=refused,
    )


def _needs_approval(approval: Approval, tool: RemoteTool) -> bool:
    if tool.destructive or approval == "always":
        return True
    return approval == "unless_read_only" and not tool.read_only


def _clean(text: str, chars_max: int) -> str:
    text = _CONTROLS.sub("", text).strip()
    return text if len(text) <= chars_max else f"{text[: chars_max - 4].rstrip()} ..."
