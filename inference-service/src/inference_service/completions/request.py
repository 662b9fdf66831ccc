"""Parses a chat completion request once: what is checked, and how many tokens it can cost at most."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from inference_service.completions.image_urls import check_image_url
from inference_service.completions.parameters import check_parameters
from inference_service.json_fields import (
    Json,
    boolean,
    integer,
    model_name,
    parse_object,
    refusal,
    size_of,
    utf8_bytes,
)
from inference_service.members import unlisted_bytes
from inference_service.metering.estimate import beyond_bytes

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_TOOLS_MAX = 128
_CALLS_MAX = 256
_PARTS_MAX = 256
_OUTPUT_TOKENS_MAX = 10_000_000
# Markers and role of each message in any chat template, with room to spare.
_TOKENS_PER_MESSAGE = 16
# Begin markers, and the default system text some templates add.
_TOKENS_PER_REQUEST = 64
# What templates write around tool schemas (Qwen: about 160 tokens).
_TOKENS_FOR_TOOLS = 512
# The dearest image of a listed provider: 8 tiles of 5,667 tokens and 2,833 (OpenAI's vision guide, small
# models).
_TOKENS_PER_IMAGE = 49_152
_BYTES_PER_TOKEN = 4
_ROLE_AND_CONTENT = frozenset({"role", "content"})
_PLAIN = len(_ROLE_AND_CONTENT)
_FORMATS = frozenset({"text", "json_object", "json_schema"})
_DETAIL_CHARS_MAX = 32


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The configured bounds of a request."""

    messages_max: int
    choices_max: int


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request. `body` is what the client sent; the bounds count every token the input can
    become.
    """

    body: Json
    model: str
    stream: bool
    include_usage: bool
    choices: int
    output_tokens_asked: int | None
    input_tokens_bound: int
    input_tokens_estimate: int
    has_images: bool = False

    def image_urls(self) -> list[str]:
        """The addresses of all images, as they were sent."""
        contents = [message.get("content") for message in cast("list[Json]", self.body["messages"])]
        parts = [
            part for content in contents if isinstance(content, list) for part in cast("list[Json]", content)
        ]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def parse_chat(raw: bytes, limits: RequestLimits) -> ChatRequest:
    """Raises: BadRequest naming the parameter."""
    body = parse_object(raw)
    model = model_name(body)
    content_bytes, extra_tokens, messages = _measure_messages(body, limits.messages_max)
    schema_bytes = _check_tools(body) + _check_response_format(body) + unlisted_bytes(body)
    check_parameters(body)
    stream = boolean(body, "stream")
    overhead = (
        _TOKENS_PER_REQUEST
        + messages * _TOKENS_PER_MESSAGE
        + extra_tokens
        + (_TOKENS_FOR_TOOLS if body.get("tools") else 0)
    )
    return ChatRequest(
        body=body,
        model=model,
        stream=stream,
        include_usage=_wants_usage(body, stream=stream),
        choices=integer(body, "n", least=1, most=limits.choices_max) or 1,
        output_tokens_asked=_output_tokens(body),
        input_tokens_bound=content_bytes + schema_bytes + overhead,
        input_tokens_estimate=-(-(content_bytes + schema_bytes) // _BYTES_PER_TOKEN)
        + messages * 4
        + 3
        + beyond_bytes(body["messages"]),
        has_images=extra_tokens > 0,
    )


def _output_tokens(body: Json) -> int | None:
    """The smaller of the two names the limit has had."""
    named = [
        integer(body, name, least=1, most=_OUTPUT_TOKENS_MAX)
        for name in ("max_completion_tokens", "max_tokens")
    ]
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
    chosen = cast("Json", options)
    boolean(chosen, "include_obfuscation", "stream_options.include_obfuscation")
    return boolean(chosen, "include_usage", "stream_options.include_usage")


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
    return size_of(entries, "tools")


def _check_tool(entry: object, param: str) -> None:
    if not isinstance(entry, dict):
        raise refusal(f"{param} must be an object", param, "invalid_type")
    tool = cast("Json", entry)
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, dict):
        raise refusal(f'{param} must be {{"type": "function", "function": {{...}}}}', f"{param}.type")
    name = cast("Json", function).get("name")
    if not isinstance(name, str) or not name:
        raise refusal(
            f"{param}.function.name must be a string", f"{param}.function.name", "missing_required_parameter"
        )


def _check_response_format(body: Json) -> int:
    """Bytes of all that stands beside the type: servers may read a schema whatever the type says."""
    wanted = body.get("response_format")
    if wanted is None:
        return 0
    if not isinstance(wanted, dict):
        raise refusal("response_format must be an object", "response_format", "invalid_type")
    chosen = cast("Json", wanted)
    if chosen.get("type") not in _FORMATS:
        raise refusal("response_format.type must be text, json_object or json_schema", "response_format.type")
    if chosen["type"] == "json_schema" and not isinstance(chosen.get("json_schema"), dict):
        raise refusal(
            "response_format.json_schema must be an object",
            "response_format.json_schema",
            "missing_required_parameter",
        )
    return size_of(chosen, "response_format") if len(chosen) > 1 else 0


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
        raise refusal(
            f"messages[{place}].role must be one of {', '.join(sorted(_ROLES))}", f"messages[{place}].role"
        )
    param = f"messages[{place}]"
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise refusal(
            f"{param}.tool_call_id must name the call this answers",
            f"{param}.tool_call_id",
            "missing_required_parameter",
        )
    _check_calls(message, param)
    # Whatever stands beside the content can become input: names, calls, reasoning handed back.
    beside = (
        {name: value for name, value in message.items() if name not in _ROLE_AND_CONTENT}
        if len(message) > _PLAIN
        else None
    )
    size_bytes = size_of(beside, param) if beside else 0
    content = message.get("content")
    if isinstance(content, str):
        return size_bytes + utf8_bytes(content), 0
    if content is None and role == "assistant":
        return size_bytes, 0
    part_bytes, tokens = _measure_parts(content, f"{param}.content")
    return size_bytes + part_bytes, tokens


def _check_calls(message: Json, param: str) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    entries = cast("list[object]", calls) if isinstance(calls, list) else [None]
    if len(entries) > _CALLS_MAX or not all(isinstance(entry, dict) for entry in entries):
        raise refusal(
            f"{param}.tool_calls must be a list of at most {_CALLS_MAX} calls",
            f"{param}.tool_calls",
            "invalid_type",
        )


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
            raise refusal(
                f"{param}[{place}].type must be one of {', '.join(sorted(_PARTS))}", f"{param}[{place}].type"
            )
        part_bytes, part_tokens = measure(cast("Json", part), f"{param}[{place}]")
        size_bytes += part_bytes + _measure_beside(cast("Json", part), f"{param}[{place}]")
        tokens += part_tokens
    return size_bytes, tokens


def _measure_beside(part: Json, param: str) -> int:
    """Bytes of what stands beside the part's own member. Some servers read a part by its members, not by its
    type.
    """
    if len(part) <= _PLAIN:
        return 0
    own = part["type"]
    for name in _PARTS:
        if name != own and part.get(name) is not None:
            raise refusal(
                f"{param}.{name} does not belong to a part of type {own}",
                f"{param}.{name}",
                "unknown_parameter",
            )
    return size_of({name: value for name, value in part.items() if name not in {"type", own}}, param)


def _measure_text(part: Json, param: str) -> tuple[int, int]:
    text = part.get("text")
    if not isinstance(text, str):
        raise refusal(f"{param}.text must be a string", f"{param}.text", "missing_required_parameter")
    return utf8_bytes(text), 0


def _measure_refusal(part: Json, param: str) -> tuple[int, int]:
    return size_of(part, param), 0


def _measure_image(part: Json, param: str) -> tuple[int, int]:
    image = part.get("image_url")
    url = cast("Json", image).get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        raise refusal(
            f"{param}.image_url.url must be a string", f"{param}.image_url", "missing_required_parameter"
        )
    check_image_url(url, f"{param}.image_url.url")
    members = cast("Json", image)
    if len(members) == 1:
        return 0, _TOKENS_PER_IMAGE
    detail = members.get("detail")
    if detail is not None and (not isinstance(detail, str) or len(detail) > _DETAIL_CHARS_MAX):
        raise refusal(f"{param}.image_url.detail must be low, high or auto", f"{param}.image_url.detail")
    return size_of(
        {name: value for name, value in members.items() if name != "url"}, f"{param}.image_url"
    ), _TOKENS_PER_IMAGE


_PARTS: Mapping[str, Callable[[Json, str], tuple[int, int]]] = {
    "text": _measure_text,
    "refusal": _measure_refusal,
    "image_url": _measure_image,
}
