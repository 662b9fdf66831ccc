"""Streaming completions of inference-service, taken apart into what a reply is made of."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from shared.auth import Principal, ServiceTokens
from shared.contracts.chat import LoadProgress, MessageError, MessageUsage
from shared.http import Timeouts, UpstreamPool, UpstreamResponse
from shared.logs import request_id_var
from shared.sse import SseEvent, SseParser
from shared.telemetry import traceparent_var

SERVICE = "inference-service"
_TARGET = b"/v1/chat/completions"
_ERROR_BYTES_MAX = 64 * 1024
_WAITING_REASONS: Mapping[str, str] = {"model_loading": "model_loading", "model_busy": "model_busy"}
_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "code", "request_id", "errors", "message", "param"})


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The provider was called; billing knows the call by this id."""

    dispatch_id: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer or of the reasoning before it."""

    reasoning: bool
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallPiece:
    """A piece of a call the model makes: pieces of one call share `index`, id and name come with the first, arguments add up to JSON."""

    index: int
    call_id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider said that the answer is complete, and why: `stop`, `length`, `tool_calls`."""

    reason: str = "stop"


Part = Dispatched | Text | ToolCallPiece | MessageUsage | Finished


class CompletionRefusedError(Exception):
    """Inference answered with an error, before or within the stream."""

    def __init__(self, error: MessageError) -> None:
        super().__init__(error.code)
        self.error = error


class ModelNotReadyError(Exception):
    """The model loads or is busy; ask again in `retry_after_s`."""

    def __init__(self, reason: str, *, retry_after_s: float, progress: LoadProgress | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.progress = progress


class Completions:
    """Streams completions for a principal; one a process."""

    def __init__(self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, timeouts: Timeouts) -> None:
        self._pool = pool
        self._tokens = tokens
        self._origin = base_url.rstrip("/")
        self._timeouts = timeouts

    async def stream(self, principal: Principal, body: dict[str, Any]) -> AsyncGenerator[Part]:
        """The parts of one completion as they arrive. Closing the generator cancels the provider's work.

        Raises:
            ModelNotReadyError, CompletionRefusedError: what inference said.
            UpstreamError: it did not answer, or broke off.
        """
        payload = orjson.dumps({**body, "stream": True, "stream_options": {"include_usage": True}})
        headers = [
            (b"authorization", self._tokens.header_for(SERVICE, principal)),
            (b"content-type", b"application/json"),
            (b"accept", b"text/event-stream"),
        ]
        if (request_id := request_id_var.get()) is not None:
            headers.append((b"x-request-id", request_id.encode("ascii")))
        if (traceparent := traceparent_var.get()) is not None:
            headers.append((b"traceparent", traceparent))
        async with self._pool.request("POST", self._origin, _TARGET, headers, body=payload, timeouts=self._timeouts) as response:
            if response.status != 200:
                raise await _refusal(response)
            dispatch_id = response.header(b"x-atrium-dispatch-id")
            yield Dispatched(dispatch_id.decode("ascii", "replace") if dispatch_id else None)
            parser = SseParser()
            while chunk := await response.next_chunk():
                for event in parser.feed(chunk):
                    for part in _parts(event):
                        yield part


async def _refusal(response: UpstreamResponse) -> Exception:
    """What a status other than 200 means. Body: problem+json or OpenAI's envelope."""
    try:
        body = cast("object", orjson.loads(await response.read(_ERROR_BYTES_MAX)))
    except orjson.JSONDecodeError:
        body = None
    error = _error_of(body, status=response.status)
    if response.status == 503 and (reason := _WAITING_REASONS.get(error.code)) is not None:
        return ModelNotReadyError(
            reason, retry_after_s=_seconds(response.header(b"retry-after")), progress=_progress(error.extra.get("progress"))
        )
    return CompletionRefusedError(error)


def _error_of(body: object, *, status: int | None) -> MessageError:
    outer = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    inner = outer.get("error", outer)
    if not isinstance(inner, dict):
        return MessageError(code="upstream_failed", detail=str(inner)[:500], status=status)
    members = cast("dict[str, Any]", inner)
    detail = members.get("message") or members.get("detail") or "the inference-service gave no reason; try again"
    code = members.get("code") or members.get("type") or "upstream_failed"
    extra = {name: value for name, value in members.items() if name not in _STANDARD_MEMBERS}
    if request_id := members.get("request_id"):
        extra["request_id"] = request_id
    known_status = members.get("status")
    return MessageError(code=str(code), detail=str(detail), status=known_status if isinstance(known_status, int) else status, extra=extra)


def _progress(value: object) -> LoadProgress | None:
    """Shown when it has the known shape, otherwise left out: waiting must not fail over a decoration."""
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, Any]", value)
    numbers = {name: members.get(name) for name in ("downloaded_bytes", "total_bytes", "eta_s")}
    return LoadProgress.model_validate({name: number for name, number in numbers.items() if isinstance(number, int | float)})


def _seconds(value: bytes | None) -> float:
    return float(value) if value is not None and value.isdigit() else 1.0


def _parts(event: SseEvent) -> list[Part]:
    """What one upstream event says. Raises: CompletionRefusedError for an error inside the stream."""
    if event.data == b"[DONE]":
        return [Finished()]
    try:
        chunk = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        raise CompletionRefusedError(
            MessageError(code="upstream_malformed", detail="the provider's stream is not valid; try again")
        ) from None
    if not isinstance(chunk, dict):
        return []
    members = cast("dict[str, Any]", chunk)
    if event.event == "error" or members.get("error"):
        raise CompletionRefusedError(_error_of(members, status=None))
    parts: list[Part] = []
    for choice in cast("list[dict[str, Any]]", members.get("choices") or [])[:1]:
        delta = cast("dict[str, Any]", choice.get("delta") or {})
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            parts.append(Text(reasoning=True, text=_storable(thought)))
        if said := delta.get("content"):
            parts.append(Text(reasoning=False, text=_storable(said)))
        parts += [_tool_call(call) for call in cast("list[dict[str, Any]]", delta.get("tool_calls") or [])]
        if reason := choice.get("finish_reason"):
            parts.append(Finished(str(reason)))
    if usage := members.get("usage"):
        parts.append(_usage(cast("dict[str, Any]", usage)))
    return parts


def _tool_call(call: dict[str, Any]) -> ToolCallPiece:
    function = cast("dict[str, Any]", call.get("function") or {})
    index = call.get("index")
    return ToolCallPiece(
        index=index if isinstance(index, int) else 0,
        call_id=call.get("id"),
        name=function.get("name"),
        arguments=_storable(function.get("arguments") or ""),
    )


def _storable(text: object) -> str:
    # PostgreSQL text cannot hold NUL.
    return str(text).replace("\x00", "")


def _usage(members: dict[str, Any]) -> MessageUsage:
    names = ("prompt_tokens", "completion_tokens", "cost_nano", "remaining_nano")
    return MessageUsage.model_validate({name: members[name] for name in names if isinstance(members.get(name), int)})
