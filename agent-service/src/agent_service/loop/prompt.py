"""What a model step sends: the agent's instructions, the conversation, and the calls made so far with their
results.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from shared.replies.fitting import PromptLine, fit, joined, json_bytes

from agent_service.loop.history import calls_of
from agent_service.records.models import StepRow
from agent_service.records.spec import ModelCall, RunSpec
from agent_service.tools.port import Tool

SEARCH_TOOL = "search_documents"

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
    said = joined(spec.messages)
    left = bytes_max - json_bytes([*system, *work])
    if (newest_left := left - _json_bytes(said[-1])) < 0:
        work = _shortened(work, by=-newest_left)
    newest = fit(said, bytes_max=left, size_of=_json_bytes)
    left_out = sum(line.count for line in said[: len(said) - len(newest)])
    return Prompt([*system, *(line.message() for line in newest), *work], left_out)


def tool_schemas(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The `tools` of a completion request."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
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


def _json_bytes(line: PromptLine) -> int:
    return json_bytes([line.message()])


def _work(steps: Sequence[StepRow]) -> list[dict[str, Any]]:
    """Each model step with calls, followed by the results of those calls.

    What the model thought goes back with its calls, and so does what the provider attached to each: some
    refuse the next step else.
    """
    results = {row.call_id: row.result or "" for row in steps if row.kind == "tool"}
    work: list[dict[str, Any]] = []
    for row in steps:
        if row.kind == "model" and (calls := calls_of(row)):
            thought = {"reasoning_content": row.reasoning} if row.reasoning else {}
            work.append(
                {
                    "role": "assistant",
                    "content": row.content or None,
                    **thought,
                    "tool_calls": [_call(call) for call in calls],
                }
            )
            work += [
                {"role": "tool", "tool_call_id": call.id, "content": results.get(call.id, "")}
                for call in calls
            ]
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
    """Tool results shortened until `by` bytes are saved, the oldest first, each down to a readable
    beginning.
    """
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
