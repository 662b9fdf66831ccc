"""The relay passes whole events whatever the network does to them, and finds usage, errors and the end."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inference_service.completions.stream import EventRelay, count_tokens

DONE = b"data: [DONE]\n\n"


def event(content: str | None, **members: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    chunk = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [{"index": 0, "delta": delta}],
        **members,
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def usage_event() -> bytes:
    return b"data: " + json.dumps({"id": "c1", "choices": [], "usage": USAGE}).encode() + b"\n\n"


def feed_all(relay: EventRelay, data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [relay.feed(data[start:end]) for start, end in pairwise(places)]


TEXTS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8)


@given(texts=TEXTS, cuts=st.lists(st.integers(0, 10_000), max_size=30), crlf=st.booleans())
def test_any_split_gives_the_same_bytes_in_whole_events(texts: list[str], cuts: list[int], crlf: bool) -> None:
    content = b"".join(event(text) for text in texts)
    data = content + usage_event() + DONE
    relay = EventRelay()
    groups = feed_all(relay, data.replace(b"\n\n", b"\r\n\r\n") if crlf else data, cuts)
    assert b"".join(groups) == content
    assert all(group == b"" or group.endswith(b"\n\n") for group in groups)
    assert (relay.done, relay.usage, relay.error) == (True, USAGE, None)


@given(texts=TEXTS, cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_each_delta_counts_as_one_token_however_it_is_split(texts: list[str], cuts: list[int]) -> None:
    relay = EventRelay()
    feed_all(relay, b"".join(event(text) for text in texts), cuts)
    assert relay.output_tokens == len(texts)


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=10))
def test_garbage_never_counts_as_a_finished_answer(data: bytes, cuts: list[int]) -> None:
    relay = EventRelay()
    feed_all(relay, data, cuts)
    assert not relay.finished


@given(text=st.sampled_from(['"usage": {', '"error": {"message": "x"}', "[DONE]", "data: [DONE]", '"content": "x"']))
def test_text_that_looks_like_protocol_is_only_text(text: str) -> None:
    relay = EventRelay()
    assert relay.feed(event(text)) == event(text)
    assert (relay.done, relay.usage, relay.error, relay.output_tokens) == (False, None, None, 1)


def test_usage_beside_content_is_kept_and_the_content_passes() -> None:
    relay = EventRelay()
    passed = relay.feed(event("hi", usage=USAGE))
    assert json.loads(passed[6:])["choices"][0]["delta"] == {"content": "hi"}
    assert b"usage" not in passed
    assert relay.usage == USAGE


def test_a_null_usage_passes_untouched() -> None:
    relay = EventRelay()
    assert relay.feed(event("hi", usage=None)) == event("hi", usage=None)


def test_an_error_event_ends_the_stream_and_is_not_passed_on() -> None:
    relay = EventRelay()
    assert relay.feed(event("a") + b'data: {"error": {"message": "boom"}}\n\n' + event("b")) == event("a")
    assert relay.error == {"message": "boom"}


def test_cut_off_json_breaks_the_stream() -> None:
    relay = EventRelay()
    assert relay.feed(event("a") + b'data: {"choices": [{"del\n\n' + event("b")) == event("a")
    assert (relay.ended, relay.finished) == (True, False)


def test_an_endless_event_is_bounded() -> None:
    relay = EventRelay()
    for _ in range(100):
        relay.feed(b"data: " + b"x" * 100_000)
    assert relay.broken


def test_comments_pass() -> None:
    assert EventRelay().feed(b": ping\n\n") == b": ping\n\n"


def test_a_long_delta_counts_by_its_bytes() -> None:
    assert count_tokens(event("x" * 400)) == 100


def test_role_and_empty_deltas_count_nothing() -> None:
    assert count_tokens(event("")) == 0
    assert count_tokens(event(None)) == 0


def test_the_usage_event_is_made_to_fit_when_the_provider_sent_none() -> None:
    relay = EventRelay()
    relay.feed(event("a"))
    assert relay.final_event("public") == {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": []}
