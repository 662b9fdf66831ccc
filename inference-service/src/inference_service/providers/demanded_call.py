"""A tool call that a client demands of the built-in model.

Its server lets the model say anything before such a call, also so much that there is no room left for it. So
the call is asked for as an answer in JSON, in which nothing else has a place, and told to the client as the
call that it is.
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson
from shared.ids import uuid7

from inference_service.providers.protocol import Json, ProviderResponse

_WORDS = frozenset({"required", "any"})
_END = b"\n\n"
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


def is_demanded(body: Json) -> bool:
    """Whether the request leaves the model no other answer than a call."""
    choice = body.get("tool_choice")
    return isinstance(choice, dict) or (isinstance(choice, str) and choice in _WORDS)


def demand(body: Json) -> None:
    """Turns the request into one for JSON that names one of the tools, or the one that is named, and its
    arguments.
    """
    choice, tools = body.pop("tool_choice"), cast("list[Json]", body["tools"])
    if isinstance(choice, dict):
        name = cast("Json", choice)["function"]["name"]
        tools = body["tools"] = [tool for tool in tools if tool["function"]["name"] == name]
    body.pop("parallel_tool_calls", None)
    schema = {"anyOf": [_schema(cast("Json", tool["function"])) for tool in tools]}
    body["response_format"] = {"type": "json_schema", "json_schema": {"name": "call", "schema": schema}}


def _schema(function: Json) -> Json:
    parameters = function.get("parameters") or _NO_PARAMETERS
    properties = {"name": {"const": function["name"]}, "arguments": parameters}
    return {
        "type": "object",
        "properties": properties,
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


class AsCall:
    """The answer to such a request, with the call where its text was; a ProviderResponse over whole
    events.
    """

    def __init__(self, response: ProviderResponse, *, stream: bool) -> None:
        self._response = response
        self._stream = stream
        self._said: dict[int, str] = {}

    async def next_chunk(self) -> bytes:
        while chunk := await self._response.next_chunk():
            if events := b"".join(self._event(event) for event in chunk.split(_END) if event.strip()):
                return events
        return b""

    async def read(self, size_max: int) -> bytes:
        body = await self._response.read(size_max)
        return body if self._stream else _whole(body)

    def _event(self, event: bytes) -> bytes:
        """The event without its text, which is kept; with the end of a choice comes the call that its text
        was.
        """
        members = _object(event.partition(b"data:")[2])
        if members is None:
            return event + _END
        for choice in _choices(members):
            index, delta = int(choice.get("index") or 0), choice.get("delta")
            if not isinstance(delta, dict):
                continue
            changes = cast("Json", delta)
            self._said[index] = self._said.get(index, "") + str(changes.pop("content", None) or "")
            if choice.get("finish_reason"):
                choice["finish_reason"] = _tell(
                    changes, self._said.pop(index), choice["finish_reason"], index=0
                )
        choices = _choices(members)
        if choices and not any(choice.get("delta") or choice.get("finish_reason") for choice in choices):
            return b""
        return b"data: " + orjson.dumps(members) + _END


def _whole(body: bytes) -> bytes:
    members = _object(body)
    if members is None:
        return body
    for choice in _choices(members):
        message = choice.get("message")
        if isinstance(message, dict):
            said = str(cast("Json", message).pop("content", None) or "")
            choice["finish_reason"] = _tell(cast("Json", message), said, choice.get("finish_reason"))
            cast("Json", message).setdefault("content", None)
    return orjson.dumps(members)


def _tell(message: Json, said: str, reason: Any, *, index: int | None = None) -> Any:
    """Puts the call into the message and gives the reason of the end; text that was cut before it was a call
    stays text.
    """
    call = _object(said.encode("utf-8", "surrogatepass"))
    if call is None or not isinstance(call.get("name"), str):
        if said:
            message["content"] = said
        return reason
    function = {"name": call["name"], "arguments": orjson.dumps(call.get("arguments") or {}).decode()}
    place = {} if index is None else {"index": index}
    message["tool_calls"] = [{**place, "id": f"call_{uuid7().hex}", "type": "function", "function": function}]
    return "tool_calls"


def _choices(members: Json) -> list[Json]:
    choices = members.get("choices")
    return (
        [cast("Json", choice) for choice in cast("list[object]", choices) if isinstance(choice, dict)]
        if isinstance(choices, list)
        else []
    )


def _object(data: bytes) -> Json | None:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return cast("Json", parsed) if isinstance(parsed, dict) else None
