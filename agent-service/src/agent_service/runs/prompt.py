"""What a model step sends: the agent's instructions, the conversation, and the calls made so far with their results."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from agent_service.runs.history import calls_of
from agent_service.runs.models import StepRow
from agent_service.runs.spec import ModelCall, RunSpec
from agent_service.tools.port import Tool

SEARCH_TOOL = "search_documents"
BYTES_PER_TOKEN = 3
"""A low estimate for text and code, so that the window is not exceeded by much where tokens are short."""

# Short, because small models read them in every step.
_TOOLS_GUIDE = "Call a tool when it helps. After its result, answer the user. Never invent a result."
_DOCUMENTS_GUIDE = (
    f"The user's documents are not in this conversation: {SEARCH_TOOL} finds passages in them. "
    "Cite a passage you use by its number, as [1]."
)
_CUT_NOTE = "\n[shortened]"
_RESULT_BYTES_LEAST = 600


@dataclass(frozen=True, slots=True)
class Prompt:
    """The `messages` of a completion request, and how many of the conversation are not among them."""

    messages: list[dict[str, Any]]
    left_out: int


def messages(spec: RunSpec, steps: Sequence[StepRow], tools: Sequence[Tool], *, bytes_max: int) -> Prompt:
    """What is sent, within `bytes_max` where that is possible."""
    system = _system(spec, tools)
    work = _work(steps)
    said, counts = _said(spec)
    left = bytes_max - size_of([*system, *work, said[-1]])
    if left < 0:
        work = _shortened(work, by=-left)
    newest = _newest(said[:-1], bytes_max=max(left, 0))
    return Prompt([*system, *newest, said[-1], *work], sum(counts[: len(said) - 1 - len(newest)]))


def tool_schemas(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The `tools` of a completion request."""
    return [
        {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}}
        for tool in tools
    ]


def _system(spec: RunSpec, tools: Sequence[Tool]) -> list[dict[str, Any]]:
    parts = [spec.instructions.strip()]
    if tools:
        parts.append(_TOOLS_GUIDE)
    if (spec.knowledge_base_ids or spec.file_ids) and any(tool.name == SEARCH_TOOL for tool in tools):
        parts.append(_DOCUMENTS_GUIDE)
    text = "\n\n".join(part for part in parts if part)
    return [{"role": "system", "content": text}] if text else []


def _said(spec: RunSpec) -> tuple[list[dict[str, Any]], list[int]]:
    """The conversation; empty messages left out, neighbours of one role joined, because templates insist on turns.

    Beside it: of how many messages each is made.
    """
    said: list[dict[str, Any]] = []
    counts: list[int] = []
    for message in spec.messages:
        if not message.content.strip():
            continue
        if said and said[-1]["role"] == message.role:
            said[-1]["content"] += f"\n\n{message.content}"
            counts[-1] += 1
        else:
            said.append({"role": message.role, "content": message.content})
            counts.append(1)
    return said, counts


def _newest(said: Sequence[dict[str, Any]], *, bytes_max: int) -> list[dict[str, Any]]:
    """The newest messages within the budget, beginning with one of the user."""
    kept: list[dict[str, Any]] = []
    for message in reversed(said):
        bytes_max -= size_of([message])
        if bytes_max < 0:
            break
        kept.insert(0, message)
    first = next((index for index, message in enumerate(kept) if message["role"] == "user"), len(kept))
    return kept[first:]


def _work(steps: Sequence[StepRow]) -> list[dict[str, Any]]:
    """Each model step with calls, followed by the results of those calls.

    What the model thought goes back with its calls, and so does what the provider attached to each: some refuse the next step else.
    """
    results = {row.call_id: row.result or "" for row in steps if row.kind == "tool"}
    work: list[dict[str, Any]] = []
    for row in steps:
        if row.kind == "model" and (calls := calls_of(row)):
            thought = {"reasoning_content": row.reasoning} if row.reasoning else {}
            work.append({"role": "assistant", "content": row.content or None, **thought, "tool_calls": [_call(call) for call in calls]})
            work += [{"role": "tool", "tool_call_id": call.id, "content": results.get(call.id, "")} for call in calls]
    return work


def _call(call: ModelCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": _object_or_empty(call.arguments)}
    return {**call.extra, "id": call.id, "type": "function", "function": function}


def _object_or_empty(arguments: str) -> str:
    """Chat templates parse the arguments; what is no JSON object (its result says so) would break them."""
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        return "{}"
    return arguments if isinstance(parsed, dict) else "{}"


def _shortened(work: Sequence[dict[str, Any]], *, by: int) -> list[dict[str, Any]]:
    """Tool results cut until `by` bytes are saved, the oldest first, each down to a readable beginning."""
    shortened: list[dict[str, Any]] = []
    for message in work:
        size = len(message["content"].encode()) if message["role"] == "tool" else 0
        if by > 0 and size > _RESULT_BYTES_LEAST:
            keep = max(size - by - len(_CUT_NOTE), _RESULT_BYTES_LEAST)
            text = cast("str", message["content"]).encode()[:keep].decode(errors="ignore") + _CUT_NOTE
            by -= size - len(text.encode())
            shortened.append({**message, "content": text})
        else:
            shortened.append(message)
    return shortened


def size_of(parts: Sequence[Mapping[str, Any]]) -> int:
    """Bytes of `parts` as JSON."""
    return sum(len(json.dumps(part, ensure_ascii=False).encode(errors="replace")) for part in parts)
