"""Parses a chat completion request once: what is checked, and how many tokens it can cost at most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import orjson

from inference_service.fields import Json, boolean, integer, model_name, parse_object, refusal, utf8_bytes

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_TOOLS_MAX = 128
_STOPS_MAX = 16
_PARTS_MAX = 256
_OUTPUT_TOKENS_MAX = 10_000_000
# Markers and role of each message in any chat template, with room to spare.
_TOKENS_PER_MESSAGE = 16
# Begin markers, and the default system text some templates add.
_TOKENS_PER_REQUEST = 64
# What templates write around tool schemas (Qwen: about 160 tokens).
_TOKENS_FOR_TOOLS = 512
# The dearest image of a listed provider: 8 tiles of 5,667 tokens and 2,833 (OpenAI's vision guide, small models).
_TOKENS_PER_IMAGE = 49_152
_BYTES_PER_TOKEN = 4
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_FORMATS = frozenset({"text", "json_object", "json_schema"})


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The configured bounds of a request."""

    messages_max: int
    choices_max: int


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request. `body` is what the client sent; the bounds count every token the input can become."""

    body: Json
    model: str
    stream: bool
    include_usage: bool
    choices: int
    output_tokens_asked: int | None
    input_tokens_bound: int
    input_tokens_estimate: int


def parse_chat(raw: bytes, limits: RequestLimits) -> ChatRequest:
    """Raises: BadRequest naming the parameter."""
    body = parse_object(raw)
    model = model_name(body)
    content_bytes, extra_tokens, messages = _measure_messages(body, limits.messages_max)
    schema_bytes = _check_tools(body) + _check_response_format(body)
    _check_sampling(body)
    stream = boolean(body, "stream")
    overhead = _TOKENS_PER_REQUEST + messages * _TOKENS_PER_MESSAGE + extra_tokens + (_TOKENS_FOR_TOOLS if body.get("tools") else 0)
    return ChatRequest(
        body=body,
        model=model,
        stream=stream,
        include_usage=_wants_usage(body, stream=stream),
        choices=integer(body, "n", least=1, most=limits.choices_max) or 1,
        output_tokens_asked=_output_tokens(body),
        input_tokens_bound=content_bytes + schema_bytes + overhead,
        input_tokens_estimate=-(-(content_bytes + schema_bytes) // _BYTES_PER_TOKEN) + messages * 4 + 3,
    )


def _output_tokens(body: Json) -> int | None:
    """The smaller of the two names the limit has had."""
    named = [integer(body, name, least=1, most=_OUTPUT_TOKENS_MAX) for name in ("max_completion_tokens", "max_tokens")]
    given = [value for value in named if value is not None]
    return min(given) if given else None


def _wants_usage(body: Json, *, stream: bool) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise refusal("stream_options is only allowed when stream is true", "stream_options")
    if not isinstance(options, dict):
        raise refusal("stream_options must be an object", "stream_options", "invalid_type")
    return boolean(cast("Json", options), "include_usage", "stream_options.include_usage")


def _check_sampling(body: Json) -> None:
    for name, (least, most) in _NUMBERS.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refusal(f"{name} must be a number", name, "invalid_type")
        if not least <= value <= most:
            raise refusal(f"{name} must be between {least} and {most}, not {value}", name)
    integer(body, "top_logprobs", least=0, most=20)
    boolean(body, "logprobs")
    stop = body.get("stop")
    if stop is None or isinstance(stop, str):
        return
    if not isinstance(stop, list) or not all(isinstance(entry, str) for entry in cast("list[object]", stop)):
        raise refusal("stop must be a string or a list of strings", "stop", "invalid_type")
    if len(cast("list[str]", stop)) > _STOPS_MAX:
        raise refusal(f"stop holds more than {_STOPS_MAX} strings", "stop")


def _check_tools(body: Json) -> int:
    """Bytes of the tool schemas."""
    tools = body.get("tools")
    if tools is None:
        return 0
    if not isinstance(tools, list):
        raise refusal("tools must be a list", "tools", "invalid_type")
    entries = cast("list[object]", tools)
    if len(entries) > _TOOLS_MAX:
        raise refusal(f"tools holds more than {_TOOLS_MAX} tools", "tools")
    for place, entry in enumerate(entries):
        _check_tool(entry, f"tools[{place}]")
    return len(orjson.dumps(entries))


def _check_tool(entry: object, param: str) -> None:
    if not isinstance(entry, dict):
        raise refusal(f"{param} must be an object", param, "invalid_type")
    tool = cast("Json", entry)
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise refusal(f'{param} must be {{"type": "function", "function": {{...}}}}', f"{param}.type")
    name = cast("Json", function).get("name")
    if not isinstance(name, str) or not name:
        raise refusal(f"{param}.function.name must be a string", f"{param}.function.name", "missing_required_parameter")


def _check_response_format(body: Json) -> int:
    """Bytes of the JSON schema."""
    wanted = body.get("response_format")
    if wanted is None:
        return 0
    if not isinstance(wanted, dict):
        raise refusal("response_format must be an object", "response_format", "invalid_type")
    chosen = cast("Json", wanted)
    if chosen.get("type") not in _FORMATS:
        raise refusal("response_format.type must be text, json_object or json_schema", "response_format.type")
    if chosen["type"] != "json_schema":
        return 0
    if not isinstance(chosen.get("json_schema"), dict):
        raise refusal("response_format.json_schema must be an object", "response_format.json_schema", "missing_required_parameter")
    return len(orjson.dumps(chosen["json_schema"]))


def _measure_messages(body: Json, messages_max: int) -> tuple[int, int, int]:
    """UTF-8 bytes of all content, tokens of what is not text, and the number of messages."""
    messages = body.get("messages")
    if messages is None:
        raise refusal("messages is missing; send at least one", "messages", "missing_required_parameter")
    if not isinstance(messages, list):
        raise refusal("messages must be a list", "messages", "invalid_type")
    entries = cast("list[object]", messages)
    if not 1 <= len(entries) <= messages_max:
        raise refusal(f"messages must hold 1 to {messages_max} messages, not {len(entries)}", "messages")
    content_bytes = extra_tokens = 0
    for place, entry in enumerate(entries):
        size_bytes, tokens = _measure_message(entry, place)
        content_bytes += size_bytes
        extra_tokens += tokens
    return content_bytes, extra_tokens, len(entries)


def _measure_message(entry: object, place: int) -> tuple[int, int]:
    if not isinstance(entry, dict):
        raise refusal(f"messages[{place}] must be an object", f"messages[{place}]", "invalid_type")
    message = cast("Json", entry)
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise refusal(f"messages[{place}].role must be one of {', '.join(sorted(_ROLES))}", f"messages[{place}].role")
    calls = message.get("tool_calls") or message.get("function_call")
    size_bytes = len(orjson.dumps(calls)) if calls else 0
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        param = f"messages[{place}].tool_call_id"
        raise refusal(f"{param} must name the call this answers", param, "missing_required_parameter")
    for name in ("name", "reasoning_content"):
        text = message.get(name)
        size_bytes += utf8_bytes(text) if isinstance(text, str) else 0
    content = message.get("content")
    if isinstance(content, str):
        return size_bytes + utf8_bytes(content), 0
    if content is None and role == "assistant":
        return size_bytes, 0
    part_bytes, tokens = _measure_parts(content, f"messages[{place}].content")
    return size_bytes + part_bytes, tokens


def _measure_parts(content: object, param: str) -> tuple[int, int]:
    if not isinstance(content, list):
        raise refusal(f"{param} must be a string or a list of parts", param, "invalid_type")
    parts = cast("list[object]", content)
    if len(parts) > _PARTS_MAX:
        raise refusal(f"{param} holds more than {_PARTS_MAX} parts", param)
    size_bytes = tokens = 0
    for place, part in enumerate(parts):
        kind = cast("Json", part).get("type") if isinstance(part, dict) else None
        measure = _PARTS.get(kind) if isinstance(kind, str) else None
        if measure is None:
            raise refusal(f"{param}[{place}].type must be one of {', '.join(sorted(_PARTS))}", f"{param}[{place}].type")
        part_bytes, part_tokens = measure(cast("Json", part), f"{param}[{place}]")
        size_bytes += part_bytes
        tokens += part_tokens
    return size_bytes, tokens


def _measure_text(part: Json, param: str) -> tuple[int, int]:
    text = part.get("text")
    if not isinstance(text, str):
        raise refusal(f"{param}.text must be a string", f"{param}.text", "missing_required_parameter")
    return utf8_bytes(text), 0


def _measure_refusal(part: Json, _param: str) -> tuple[int, int]:
    return len(orjson.dumps(part)), 0


def _measure_image(part: Json, param: str) -> tuple[int, int]:
    image = part.get("image_url")
    if not isinstance(image, dict) or not isinstance(cast("Json", image).get("url"), str):
        raise refusal(f"{param}.image_url.url must be a string", f"{param}.image_url", "missing_required_parameter")
    return 0, _TOKENS_PER_IMAGE


_PARTS: Mapping[str, Callable[[Json, str], tuple[int, int]]] = {
    "text": _measure_text,
    "refusal": _measure_refusal,
    "image_url": _measure_image,
}
