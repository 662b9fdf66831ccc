"""Answers of the built-in model without what tells of other people's requests: cache figures and times."""

from typing import cast

import orjson

from inference_service.providers.protocol import Json, ProviderResponse

_HIDDEN = ("timings", "prompt_progress", "__verbose", "slot_id", "id_slot", "tokens_cached")
_HIDDEN_IN_USAGE = ("prompt_tokens_details", "cached_tokens")
_TRACES = tuple(f'"{name}"'.encode() for name in _HIDDEN + _HIDDEN_IN_USAGE)
_END = b"\n\n"


class Discreet:
    """One answer, as ProviderResponse. Events pass in the groups in which they arrive; only those that tell
    too much are written again.
    """

    def __init__(self, response: ProviderResponse, *, stream: bool) -> None:
        self._response = response
        self._stream = stream
        self._tail = b""

    async def next_chunk(self) -> bytes:
        while chunk := await self._response.next_chunk():
            data = self._tail + chunk
            whole, end, self._tail = data.rpartition(_END)
            if end:
                return _without_traces(whole + end)
        rest, self._tail = self._tail, b""
        return _without_traces(rest)

    async def read(self, size_max: int) -> bytes:
        body = self._tail + await self._response.read(size_max)
        self._tail = b""
        return _without_traces(body) if self._stream else _discreet(body)


def _without_traces(events: bytes) -> bytes:
    if not any(trace in events for trace in _TRACES):
        return events
    return _END.join(_event(event) for event in events.split(_END))


def _event(event: bytes) -> bytes:
    """One event; llama.cpp writes it as one line of data."""
    head, mark, payload = event.partition(b"data:")
    return (
        event if not mark or payload.strip() == b"[DONE]" else head + mark + b" " + _discreet(payload.strip())
    )


def _discreet(body: bytes) -> bytes:
    """A JSON object without the hidden members; what is no JSON is not passed on."""
    if not any(trace in body for trace in _TRACES):
        return body
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return b""
    if not isinstance(parsed, dict):
        return body
    answer = cast("Json", parsed)
    for name in _HIDDEN:
        answer.pop(name, None)
    usage = answer.get("usage")
    if isinstance(usage, dict):
        for name in _HIDDEN_IN_USAGE:
            cast("Json", usage).pop(name, None)
    return orjson.dumps(answer)
