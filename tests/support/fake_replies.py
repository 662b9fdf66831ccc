"""What the scripted provider answers: pure functions from a request body to bytes and their timing."""

import base64
import hashlib
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson

MODES = (
    "echo", "slow", "429", "500", "401", "stall", "hang", "malformed", "no-usage", "abort", "over", "tools",
    "reasoning", "length",
)  # fmt: skip
MODELS = tuple(f"fake-{mode}" for mode in MODES)
EMBEDDING_MODEL = "fake-embed"
_SLOW_DELAY_S = 0.05
_SLOW_TOKENS = 600
_ABORT_AFTER = 3
_OVERCLAIM = 1000
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    404: b"Not Found",
    429: b"Too Many Requests",
    503: b"Service Unavailable",
    500: b"Internal Server Error",
}


@dataclass(slots=True)
class Plan:
    """`pieces` are written one by one, `delay_s` apart. `end` says what happens after the last one."""

    pieces: list[bytes]
    delay_s: float = 0.0
    end: Literal["done", "abort", "stall"] = "done"
    counts: bool = False
    model: str = ""


@dataclass(slots=True)
class Script:
    """How one request is to be answered, from the model's name and the "!word" or "!name=value" directives of
    the last user message.
    """

    mode: str
    tokens: int | None = None
    delay_s: float = 0.0
    values: dict[str, str] = field(default_factory=dict[str, str])


def count_tokens(text: str) -> int:
    """Words separated by white space: every figure of this provider can be checked by hand."""
    return len(text.split())


def message_text(message: dict[str, Any]) -> str:
    """The text of a chat message, of its text parts when it has several."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[dict[str, Any]]", content or [])
    return " ".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def read_script(body: dict[str, Any]) -> Script:
    """Directives win over the model's name: "!slow", "!500", "!tokens=20", "!delay_ms=5"."""
    model = str(body.get("model", ""))
    mode = next(
        (each for each in MODES if model == f"fake-{each}" or model.startswith(f"fake-{each}-")), "echo"
    )
    values: dict[str, str] = {}
    for word in last_user_text(body).split():
        if word.startswith("!"):
            name, _, value = word[1:].partition("=")
            values[name] = value
            if name in MODES:
                mode = name
    tokens = int(values["tokens"]) if values.get("tokens", "").isdigit() else None
    delay_s = (
        int(values["delay_ms"]) / 1000
        if values.get("delay_ms", "").isdigit()
        else (_SLOW_DELAY_S if mode == "slow" else 0.0)
    )
    return Script(mode=mode, tokens=tokens, delay_s=delay_s, values=values)


def last_user_text(body: dict[str, Any]) -> str:
    """The text of the newest user message, or the prompt of a plain completion."""
    messages = cast("list[dict[str, Any]]", body.get("messages") or [])
    return next(
        (message_text(each) for each in reversed(messages) if each.get("role") == "user"),
        str(body.get("prompt", "")),
    )


def reply_words(body: dict[str, Any], script: Script) -> tuple[list[str], str]:
    """The words of the answer and its finish_reason; max_tokens cuts it."""
    limit = cast("int | None", body.get("max_completion_tokens") or body.get("max_tokens"))
    if script.tokens is not None or script.mode in {"slow", "length"}:
        count = script.tokens or limit or _SLOW_TOKENS
        words = [f"t{number}" for number in range(count)]
    else:
        results = tool_results(body) if "call" in script.values else []
        words = (results[-1] if results else last_user_text(body)).split() or ["(nothing)"]
    if limit is not None and len(words) > limit:
        return words[:limit], "length"
    return words, "length" if script.mode == "length" else "stop"


def usage_of(body: dict[str, Any], completion_tokens: int, script: Script) -> dict[str, int]:
    """Words in, words out; mode "over" claims a thousand more than it sent."""
    prompt = sum(
        count_tokens(message_text(each)) for each in cast("list[dict[str, Any]]", body.get("messages") or [])
    )
    prompt += count_tokens(str(body.get("prompt", "")))
    completion = completion_tokens + (_OVERCLAIM if script.mode == "over" else 0)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def whole(
    status: int, payload: bytes, content_type: bytes = b"application/json", extra: bytes = b""
) -> bytes:
    """A complete response with its length."""
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n%b" % (
        status, _REASONS.get(status, b"X"), content_type, extra, len(payload), payload,
    )  # fmt: skip


def failure(status: int, message: str, code: str) -> Plan:
    """An error in OpenAI's envelope."""
    body = orjson.dumps({"error": {"message": message, "type": code, "param": None, "code": code}})
    return Plan([whole(status, body, extra=b"retry-after: 1\r\n" if status == 429 else b"")])


def events_of(
    *events: dict[str, Any] | bytes, delay_s: float = 0.0, end: Literal["done", "abort", "stall"] = "done"
) -> Plan:
    """A stream of these chunks; bytes are sent as they are. `end`: see Plan, "done" closes the body, also
    without [DONE].
    """
    pieces = [_chunk(event) if isinstance(event, bytes) else _event(event) for event in events]
    last = [b"0\r\n\r\n"] if end == "done" else []
    return Plan([_SSE_HEAD + pieces[0], *pieces[1:], *last], delay_s=delay_s, end=end, counts=True)


_FAILURES = {
    "429": (429, "scripted rate limit", "rate_limit_exceeded"),
    "500": (500, "scripted failure", "server_error"),
    "401": (401, "scripted bad key", "invalid_api_key"),
}
_SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: "
    b"chunked\r\n\r\n"
)


def chat(body: dict[str, Any]) -> Plan:
    """The answer to POST /v1/chat/completions."""
    script = read_script(body)
    model = str(body.get("model", ""))
    if script.mode in _FAILURES:
        plan = failure(*_FAILURES[script.mode])
    elif script.mode == "hang":
        plan = Plan([], end="stall")
    elif body.get("stream"):
        plan = _streamed(body, script)
    else:
        plan = _unstreamed(body, script)
    plan.counts, plan.model = True, model
    return plan


def _unstreamed(body: dict[str, Any], script: Script) -> Plan:
    if script.mode == "stall":
        return Plan(
            [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n"], end="stall"
        )
    if script.mode == "malformed":
        return Plan([whole(200, b'{"choices": [{"message": ')])
    words, reason = reply_words(body, script)
    message: dict[str, Any] = {"role": "assistant", "content": " ".join(words)}
    if script.mode == "reasoning":
        message["reasoning_content"] = "thinking it over"
    if wants_tool(body, script):
        message, reason, words = (
            {"role": "assistant", "content": None, "tool_calls": [_tool_call(body, script)]},
            "tool_calls",
            ["call"],
        )
    answer = _envelope(body, "chat.completion")
    answer["choices"] = [
        {"index": index, "message": message, "finish_reason": reason, "logprobs": None}
        for index in range(int(body.get("n") or 1))
    ]
    if script.mode != "no-usage":
        answer["usage"] = usage_of(body, len(words) * int(body.get("n") or 1), script)
    payload = whole(200, orjson.dumps(answer))
    if script.mode == "abort":
        return Plan([payload[: len(payload) - 20]], end="abort")
    return Plan([payload], delay_s=script.delay_s)


def _streamed(body: dict[str, Any], script: Script) -> Plan:
    if script.mode == "stall":
        return Plan([_SSE_HEAD], end="stall")
    words, reason = reply_words(body, script)
    envelope = _envelope(body, "chat.completion.chunk")
    if wants_tool(body, script):
        deltas, reason, words = list(_tool_deltas(body, script)), "tool_calls", ["call"]
    else:
        deltas = [{"role": "assistant", "content": ""}]
        if script.mode == "reasoning":
            deltas += [{"reasoning_content": "thinking it "}, {"reasoning_content": "over"}]
        deltas += [{"content": word if index == 0 else " " + word} for index, word in enumerate(words)]
    events = [
        _event({**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        for delta in deltas
    ]
    if script.mode == "abort":
        return Plan(
            [_SSE_HEAD + events[0], *events[1 : 1 + _ABORT_AFTER]],
            delay_s=max(script.delay_s, 0.01),
            end="abort",
        )
    if script.mode == "malformed":
        return Plan(
            [
                _SSE_HEAD + events[0],
                *events[1:2],
                _chunk(b'data: {"choices": [{"delta": {"con\n\n'),
                _chunk(b"data: [DONE]\n\n"),
                b"0\r\n\r\n",
            ]
        )
    last = [_event({**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})]
    options = cast("dict[str, Any]", body.get("stream_options") or {})
    if options.get("include_usage") and script.mode != "no-usage":
        last.append(_event({**envelope, "choices": [], "usage": usage_of(body, len(words), script)}))
    last += [_chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"]
    return Plan([_SSE_HEAD + events[0], *events[1:-1], events[-1], b"".join(last)], delay_s=script.delay_s)


def tool_results(body: dict[str, Any]) -> list[str]:
    """The results of tools that came after the newest user message, oldest first."""
    found: list[str] = []
    for message in cast("list[dict[str, Any]]", body.get("messages") or []):
        if message.get("role") == "user":
            found.clear()
        elif message.get("role") == "tool":
            found.append(message_text(message))
    return found


def wants_tool(body: dict[str, Any], script: Script) -> bool:
    """Mode "tools" calls the first offered tool, "!call=name !args={json} !rounds=n" the named one, until n
    (1) results are there.
    """
    rounds = int(script.values.get("rounds") or 1)
    asked = "call" in script.values and bool(body.get("tools"))
    return (asked or script.mode == "tools") and len(tool_results(body)) < rounds


def _tool_call(body: dict[str, Any], script: Script) -> dict[str, Any]:
    """`{n}` in the arguments is the number of the round, so that no two calls are the same."""
    tools = cast("list[dict[str, Any]]", body.get("tools") or [])
    offered = str(tools[0].get("function", {}).get("name", "get_weather")) if tools else "get_weather"
    number = len(tool_results(body)) + 1
    arguments = script.values.get("args", '{"city":"Paris"}').replace("{n}", str(number))
    name = script.values.get("call", offered)
    return {
        "id": f"call_fake_{number}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _tool_deltas(body: dict[str, Any], script: Script) -> Iterator[dict[str, Any]]:
    call = _tool_call(body, script)
    function = call["function"]
    yield {
        "role": "assistant",
        "content": None,
        "tool_calls": [{**call, "index": 0, "function": {**function, "arguments": ""}}],
    }
    text = function["arguments"]
    for part in (text[:4], text[4:12], text[12:]):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}


def _envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-fake",
        "object": kind,
        "created": int(time.time()),
        "model": body.get("model", ""),
    }


def _event(payload: dict[str, Any]) -> bytes:
    return _chunk(b"data: " + orjson.dumps(payload) + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def embeddings(body: dict[str, Any]) -> Plan:
    """The answer to POST /v1/embeddings: a unit-free vector derived from the text's hash."""
    given = body.get("input", "")
    texts = [str(text) for text in cast("Iterable[object]", [given] if isinstance(given, str) else given)]
    size = int(body.get("dimensions") or 384)
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(_vector(text, size)) if as_base64 else _vector(text, size),
        }
        for index, text in enumerate(texts)
    ]
    tokens = sum(count_tokens(text) for text in texts)
    answer = {
        "object": "list",
        "model": body.get("model"),
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Plan([whole(200, orjson.dumps(answer))], counts=True, model=str(body.get("model", "")))


def _vector(text: str, size: int) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[index % 32] - 127.5) / 127.5 for index in range(size)]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def models() -> Plan:
    """The answer to GET /v1/models."""
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "fake"}
        for name in (*MODELS, EMBEDDING_MODEL)
    ]
    return Plan([whole(200, orjson.dumps({"object": "list", "data": data}))])
