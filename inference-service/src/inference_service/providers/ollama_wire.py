"""Ollama's own chat format, to which and from which OpenAI's is turned: only there the context window can be
set.
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson
from shared.clock import utc_now
from shared.http import ResponseTooLarge
from shared.ids import uuid7

from inference_service.members import unlisted
from inference_service.providers.protocol import ChatCall, Json, ProviderResponse

_OPTIONS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_TOP = ("logprobs", "top_logprobs")
_EFFORTS = frozenset({"low", "medium", "high"})
_LINE_BYTES_MAX = 16 * 1024 * 1024


def chat_request(call: ChatCall, *, context_tokens: int) -> Json:
    """The body of POST /api/chat. What does not fit the window is an error there, not cut without a word."""
    body = call.body
    options: Json = {name: body[given] for given, name in _OPTIONS.items() if body.get(given) is not None}
    added = unlisted(body)
    if isinstance(given := added.pop("options", None), dict):
        options = {**cast("Json", given), **options}
    options |= {"num_ctx": context_tokens, "num_predict": call.output_tokens_max}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    request: Json = {
        **added,
        "model": call.model,
        "messages": _messages(cast("list[Json]", body["messages"])),
        "stream": call.stream,
        "options": options,
        "truncate": False,
        "shift": False,
        **{name: body[name] for name in _TOP if body.get(name) is not None},
    }
    if body.get("tools") and body.get("tool_choice") != "none":
        request["tools"] = body["tools"]
    if (wanted := _format(body.get("response_format"))) is not None:
        request["format"] = wanted
    effort = body.get("reasoning_effort")
    if effort is not None:
        request["think"] = effort if effort in _EFFORTS else effort != "none"
    return request


def _format(wanted: Any) -> Any:
    if not isinstance(wanted, dict):
        return None
    chosen = cast("Json", wanted)
    if chosen.get("type") == "json_schema":
        return cast("Json", chosen["json_schema"]).get("schema") or "json"
    return "json" if chosen.get("type") == "json_object" else None


def _messages(messages: list[Json]) -> list[Json]:
    """Results of tools carry the name of the tool here, which the call they answer tells."""
    names: dict[str, str] = {}
    return [_message(message, names) for message in messages]


def _message(message: Json, names: dict[str, str]) -> Json:
    role = message["role"]
    text, images = _content(message.get("content"))
    sent: Json = {
        "role": "system" if role == "developer" else "tool" if role == "function" else role,
        "content": text,
    }
    if images:
        sent["images"] = images
    thinking = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thinking, str):
        sent["thinking"] = thinking
    calls = [_call(call) for call in cast("list[Json]", message.get("tool_calls") or [])]
    if calls:
        sent["tool_calls"] = calls
        for call, given in zip(calls, cast("list[Json]", message["tool_calls"]), strict=True):
            names[str(given.get("id"))] = call["function"]["name"]
    if sent["role"] == "tool":
        sent["tool_name"] = names.get(str(message.get("tool_call_id"))) or str(message.get("name") or "")
        sent["tool_call_id"] = str(message.get("tool_call_id") or "")
    return sent


def _content(content: Any) -> tuple[str, list[str]]:
    if not isinstance(content, list):
        return content if isinstance(content, str) else "", []
    parts = cast("list[Json]", content)
    texts = [
        str(part.get("text") or part.get("refusal") or "")
        for part in parts
        if part.get("type") != "image_url"
    ]
    images = [
        str(part["image_url"]["url"]).partition(",")[2] for part in parts if part.get("type") == "image_url"
    ]
    return "\n".join(texts), images


def _call(call: Json) -> Json:
    function = cast("Json", call.get("function") or {})
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments or "{}")
        except orjson.JSONDecodeError:
            arguments = {"arguments": arguments}
    sent = cast("Json", arguments) if isinstance(arguments, dict) else {}
    return {
        "id": str(call.get("id") or ""),
        "function": {"name": str(function.get("name") or ""), "arguments": sent},
    }


class Translated:
    """An answer of /api/chat as OpenAI's JSON or event stream; a ProviderResponse."""

    def __init__(self, response: ProviderResponse, call: ChatCall) -> None:
        self._response = response
        self._call = call
        self._head: Json = {
            "id": f"chatcmpl-{uuid7().hex}",
            "created": int(utc_now().timestamp()),
            "model": call.model,
        }
        self._tail = b""
        self._calls = 0
        self._begun = False

    async def next_chunk(self) -> bytes:
        while chunk := await self._response.next_chunk():
            data = self._tail + chunk
            if len(data) > _LINE_BYTES_MAX:
                raise ResponseTooLarge(f"a line of the answer is larger than {_LINE_BYTES_MAX} bytes")
            whole, _, self._tail = data.rpartition(b"\n")
            if events := b"".join(self._events(line) for line in whole.split(b"\n") if line.strip()):
                return events
        rest, self._tail = self._tail, b""
        return self._events(rest) if rest.strip() else b""

    async def read(self, size_max: int) -> bytes:
        if self._call.stream:
            return await self._response.read(size_max)
        return self._whole(await self._response.read(size_max))

    def _whole(self, body: bytes) -> bytes:
        answer = _object(body)
        if answer is None or "message" not in answer:
            return body
        message = cast("Json", answer["message"])
        said: Json = {"role": "assistant", "content": message.get("content") or ""}
        if message.get("thinking"):
            said["reasoning"] = message["thinking"]
        calls = self._tool_calls(message)
        if calls:
            said["tool_calls"] = [
                {name: value for name, value in call.items() if name != "index"} for call in calls
            ]
        choice = {"index": 0, "message": said, "finish_reason": self._reason(answer)}
        return orjson.dumps(
            {**self._head, "object": "chat.completion", "choices": [choice], **_usage(answer)}
        )

    def _events(self, line: bytes) -> bytes:
        answer = _object(line)
        if answer is None:
            return b"data: " + line + b"\n\n"
        if answer.get("error"):
            return _event({"error": {"message": str(answer["error"])}})
        message = cast("Json", answer.get("message") or {})
        delta: Json = {} if self._begun else {"role": "assistant"}
        if message.get("thinking"):
            delta["reasoning"] = message["thinking"]
        if message.get("content"):
            delta["content"] = message["content"]
        if calls := self._tool_calls(message):
            delta["tool_calls"] = calls
        events = self._chunk(delta, None) if delta.keys() - {"role"} or not self._begun else b""
        self._begun = True
        if answer.get("done"):
            events += self._chunk({}, self._reason(answer))
            if usage := _usage(answer):
                events += _event({**self._head, "object": "chat.completion.chunk", "choices": [], **usage})
            events += b"data: [DONE]\n\n"
        return events

    def _chunk(self, delta: Json, reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _event({**self._head, "object": "chat.completion.chunk", "choices": [choice]})

    def _tool_calls(self, message: Json) -> list[Json]:
        calls: list[Json] = []
        for call in cast("list[Json]", message.get("tool_calls") or []):
            function = cast("Json", call.get("function") or {})
            arguments = orjson.dumps(function.get("arguments") or {}).decode()
            call_id = call.get("id") or f"call_{self._head['id']}_{self._calls}"
            named = {"name": function.get("name"), "arguments": arguments}
            calls.append({"index": self._calls, "id": call_id, "type": "function", "function": named})
            self._calls += 1
        return calls

    def _reason(self, answer: Json) -> str:
        reason = answer.get("done_reason")
        if reason == "length":
            return "length"
        return "tool_calls" if self._calls else "stop"


def _usage(answer: Json) -> Json:
    """Empty where the server does not count: some leave out a prompt that is still in their cache."""
    prompt, output = answer.get("prompt_eval_count"), answer.get("eval_count")
    if not isinstance(prompt, int) or not isinstance(output, int):
        return {}
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}}


def _event(value: Json) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _object(data: bytes) -> Json | None:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return cast("Json", parsed) if isinstance(parsed, dict) else None
