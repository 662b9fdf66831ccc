"""A call that is demanded of the built-in model: asked for as JSON, told as a call."""

from typing import Any

import orjson
import pytest
from inference_service.providers.demanded_call import AsCall

SAID = '{"name": "weather", "arguments": {"city": "Paris"}}'


class Pieces:
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def next_chunk(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def read(self, size_max: int) -> bytes:
        body, self._pieces = b"".join(self._pieces), []
        return body


def event(delta: dict[str, Any], reason: str | None = None, index: int = 0) -> bytes:
    return (
        b"data: "
        + orjson.dumps({"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": reason}]})
        + b"\n\n"
    )


async def told(*pieces: bytes) -> list[Any]:
    answer, found = AsCall(Pieces(*pieces), stream=True), b""
    while chunk := await answer.next_chunk():
        found += chunk
    return [
        orjson.loads(part.removeprefix(b"data: "))
        for part in found.split(b"\n\n")
        if part and b"[DONE]" not in part
    ]


async def test_the_text_of_a_stream_becomes_one_call() -> None:
    letters = [event({"content": letter}) for letter in SAID]
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}\n\n'
    events = await told(
        event({"role": "assistant", "content": None}),
        *letters,
        event({}, "stop") + usage,
        b"data: [DONE]\n\n",
    )
    first, last, figures = events
    assert first["choices"][0]["delta"] == {"role": "assistant"}
    [choice] = last["choices"]
    [call] = choice["delta"]["tool_calls"]
    assert (choice["finish_reason"], call["index"], call["type"]) == ("tool_calls", 0, "function")
    assert call["function"] == {"name": "weather", "arguments": '{"city":"Paris"}'}
    assert figures["usage"]["completion_tokens"] == 3


async def test_each_choice_has_its_own_call() -> None:
    both = [
        event({"content": SAID}, index=0),
        event({"content": '{"name": "clock", "arguments": {}}'}, index=1),
    ]
    events = await told(*both, event({}, "stop", 1), event({}, "stop", 0))
    assert [
        choice["delta"]["tool_calls"][0]["function"]["name"] for each in events for choice in each["choices"]
    ] == ["clock", "weather"]


async def test_what_was_cut_before_it_was_a_call_stays_text() -> None:
    [last] = await told(event({"content": SAID[:20]}), event({}, "length"))
    assert last["choices"] == [{"index": 0, "delta": {"content": SAID[:20]}, "finish_reason": "length"}]


@pytest.mark.parametrize(
    "event_bytes",
    [b'data: {"error":{"message":"out of memory"}}\n\n', b": comment\n\n", b"data: garbage\n\n"],
)
async def test_everything_else_passes_as_it_is(event_bytes: bytes) -> None:
    answer = AsCall(Pieces(event_bytes), stream=True)
    assert (await answer.next_chunk()).replace(b" ", b"") == event_bytes.replace(b" ", b"")


@pytest.mark.parametrize(("said", "reason"), [(SAID, "tool_calls"), (SAID[:20], "length")])
async def test_an_answer_in_one_piece_too(said: str, reason: str) -> None:
    body = {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "length"}
        ],
        "usage": {"x": 1},
    }
    found = orjson.loads(await AsCall(Pieces(orjson.dumps(body)), stream=False).read(10_000))
    [choice] = found["choices"]
    assert (choice["finish_reason"], found["usage"]) == (reason, {"x": 1})
    if reason == "length":
        assert choice["message"] == {"role": "assistant", "content": said}
    else:
        assert choice["message"]["content"] is None
        assert choice["message"]["tool_calls"][0]["function"] == {
            "name": "weather",
            "arguments": '{"city":"Paris"}',
        }
