"""Streaming completions of inference-service, taken apart into what a reply is made of."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import ServiceCalls, parsed, read_refusal
from shared.contracts.billing import DISPATCH_HEADER
from shared.contracts.chat import LoadProgress, MessageError, MessageUsage
from shared.deltas import (
    Delta,
    DeltaReader,
    Finished,
    RefusalText,
    Text,
    ToolCallPiece,
    UsageReport,
    error_of,
)
from shared.http import Timeouts, UpstreamPool, UpstreamResponse
from shared.sse import SseEvent, SseParser
from shared.surrogates import parse_json, storable

__all__ = [
    "CompletionRefusedError",
    "Completions",
    "Dispatched",
    "Finished",
    "ModelNotReadyError",
    "Part",
    "RefusalText",
    "Text",
    "ToolCallPiece",
]

SERVICE = "inference-service"
_TARGET = "/v1/chat/completions"
_ERROR_BYTES_MAX = 64 * 1024
_DETAIL_CHARS_MAX = 4_000
_CODE_CHARS_MAX = 100
_FIGURE_MAX = 2**62
_WAITING_REASONS: Mapping[str, str] = {
    "model_loading": "model_loading",
    "model_busy": "model_busy",
    # Nothing was dispatched and nothing charged, so the same request may simply come again.
    "billing_unavailable": "service_away",
    "database_down": "service_away",
    "inference_unavailable": "service_away",
}


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The provider was called; billing knows the call by this id."""

    dispatch_id: str | None


Part = Dispatched | Text | RefusalText | ToolCallPiece | MessageUsage | Finished
"""What a stream gives; the pieces of the answer are those of shared.deltas."""


class CompletionRefusedError(Exception):
    """Inference answered with an error, before or within the stream."""

    def __init__(self, error: MessageError) -> None:
        super().__init__(error.code)
        self.error = error


class ModelNotReadyError(Exception):
    """Nothing was dispatched; ask again in `retry_after_s`. `reason`: `model_loading`, `model_busy`,
    `service_away`.
    """

    def __init__(self, reason: str, *, retry_after_s: float, progress: LoadProgress | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.progress = progress


class Completions:
    """Streams completions for a principal; one per process."""

    def __init__(
        self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, timeouts: Timeouts
    ) -> None:
        self._calls = ServiceCalls(
            pool,
            tokens,
            service=SERVICE,
            base_url=base_url,
            timeouts=timeouts,
            answer_bytes_max=_ERROR_BYTES_MAX,
        )

    async def stream(
        self, principal: Principal, body: dict[str, Any], *, dispatch_id: UUID | None = None
    ) -> AsyncGenerator[Part]:
        """The parts of one completion as they arrive. Closing the generator cancels the provider's work.

        `dispatch_id`: a new id under which billing is to know the call; inference may choose another one,
        which `Dispatched` tells.

        Raises:
            ModelNotReadyError, CompletionRefusedError: what inference said.
            UpstreamError: it did not answer, or broke off.
        """
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        headers = [] if dispatch_id is None else [(DISPATCH_HEADER, str(dispatch_id).encode())]
        async with self._calls.stream("POST", _TARGET, principal, asked, headers=headers) as response:
            if response.status != 200:
                raise await _refusal(response)
            told = response.header(DISPATCH_HEADER)
            yield Dispatched(told.decode("ascii", "replace") if told else None)
            parser, reader = SseParser(), DeltaReader()
            while chunk := await response.next_chunk():
                for event in parser.feed(chunk):
                    for part in _parts(event, reader):
                        yield part


async def _refusal(response: UpstreamResponse) -> Exception:
    """What a status other than 200 means. Body: problem+json or OpenAI's envelope."""
    error = _error_of(parsed(await response.read(_ERROR_BYTES_MAX)), status=response.status)
    if response.status == 503 and (reason := _WAITING_REASONS.get(error.code)) is not None:
        return ModelNotReadyError(
            reason,
            retry_after_s=_seconds(response.header(b"retry-after")),
            progress=_progress(error.extra.get("progress")),
        )
    return CompletionRefusedError(error)


def _error_of(body: object, *, status: int | None) -> MessageError:
    """What went wrong, as it can be stored with a reply, whatever a provider wrote into it."""
    refusal = read_refusal(storable(cast("object", body)) if isinstance(body, dict) else None)
    extra = {name: value for name, value in refusal.extra.items() if name != "param"}
    if refusal.request_id is not None:
        extra["request_id"] = refusal.request_id
    return MessageError(
        code=(refusal.code or refusal.kind or "upstream_failed")[:_CODE_CHARS_MAX],
        detail=(refusal.detail or "the inference-service gave no reason; try again")[:_DETAIL_CHARS_MAX],
        status=refusal.status or status,
        extra=extra,
    )


def _progress(value: object) -> LoadProgress | None:
    """Shown when it has the known shape, otherwise left out: waiting must not fail over a decoration."""
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, Any]", value)
    numbers = {name: members.get(name) for name in ("downloaded_bytes", "total_bytes", "eta_s")}
    return LoadProgress.model_validate(
        {name: number for name, number in numbers.items() if isinstance(number, int | float)}
    )


def _seconds(value: bytes | None) -> float:
    return float(value) if value is not None and value.isdigit() else 1.0


def _parts(event: SseEvent, reader: DeltaReader) -> list[Part]:
    """What one upstream event says. Raises: CompletionRefusedError for an error inside the stream."""
    if event.data == b"[DONE]":
        return _known(reader.end())
    try:
        chunk = parse_json(event.data)
    except ValueError:
        raise CompletionRefusedError(
            MessageError(code="upstream_malformed", detail="the provider's stream is not valid; try again")
        ) from None
    if not isinstance(chunk, dict):
        return []
    members = cast("dict[str, Any]", chunk)
    if event.event == "error":
        raise CompletionRefusedError(_error_of(members, status=None))
    if (error := error_of(members)) is not None:
        raise CompletionRefusedError(_error_of(error, status=None))
    return _known(reader.feed(members))


def _known(deltas: Iterable[Delta]) -> list[Part]:
    return [_usage(delta.members) if isinstance(delta, UsageReport) else delta for delta in deltas]


def _usage(members: dict[str, Any]) -> MessageUsage:
    names = ("prompt_tokens", "completion_tokens", "cost_nano", "remaining_nano")
    return MessageUsage.model_validate(
        {name: members[name] for name in names if _is_figure(members.get(name))}
    )


def _is_figure(value: object) -> bool:
    """Whether it is a number that can be stored: what a provider counts may be anything."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _FIGURE_MAX
