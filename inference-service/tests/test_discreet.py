"""Answers of the built-in model lose what tells of others, however the network cuts them."""

from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from inference_service.providers.discreet import Discreet

DELTA = b'data: {"choices":[{"index":0,"delta":{"content":"the \\"timings\\" of it"}}]}\n\n'
LAST = (
    b"data: "
    b'{"choices":[],"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":7}},"timings":{"cache_n":7}}\n\n'
)
DONE = b"data: [DONE]\n\n"
STREAM = DELTA + DELTA + LAST + DONE


class Pieces:
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    async def next_chunk(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def read(self, size_max: int) -> bytes:
        body, self._pieces = b"".join(self._pieces), []
        return body


async def drained(answer: Discreet) -> bytes:
    whole = b""
    while chunk := await answer.next_chunk():
        whole += chunk
    return whole


@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
async def test_a_stream_passes_whole_and_without_figures(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    got = await drained(Discreet(Pieces(*pieces), stream=True))
    assert b"cache" not in got
    assert got.count(b'the \\"timings\\" of it') == 2, "what the model says is not touched"
    events = [
        orjson.loads(part.removeprefix(b"data: "))
        for part in got.split(b"\n\n")
        if part and b"[DONE]" not in part
    ]
    assert events[-1] == {"choices": [], "usage": {"prompt_tokens": 9}}
    assert got.endswith(DONE)


async def test_an_answer_in_one_piece_too() -> None:
    body: dict[str, Any] = {
        "choices": [],
        "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7}},
        "timings": {},
    }
    answer = Discreet(Pieces(orjson.dumps(body)), stream=False)
    assert orjson.loads(await answer.read(10_000)) == {"choices": [], "usage": {"prompt_tokens": 9}}


async def test_the_rest_of_a_stream_is_read_without_figures() -> None:
    answer = Discreet(Pieces(DELTA[:20], DELTA[20:] + LAST[:30], LAST[30:]), stream=True)
    assert await answer.next_chunk() == DELTA
    assert b"cache" not in await answer.read(10_000)
