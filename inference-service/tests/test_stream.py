"""The relay passes whole events whatever the network does to them, and finds usage, errors and the end."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_service.completions.stream import EventRelay
from inference_service.metering.estimate import Count

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
def test_any_split_gives_the_same_bytes_in_whole_events(
    texts: list[str], cuts: list[int], crlf: bool
) -> None:
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
    assert relay.count.tokens == sum(max(1, len(text.split())) for text in texts)


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=10))
def test_garbage_never_counts_as_a_finished_answer(data: bytes, cuts: list[int]) -> None:
    relay = EventRelay()
    feed_all(relay, data, cuts)
    assert not relay.finished


@given(
    text=st.sampled_from(
        ['"usage": {', '"error": {"message": "x"}', "[DONE]", "data: [DONE]", '"content": "x"']
    )
)
def test_text_that_looks_like_protocol_is_only_text(text: str) -> None:
    relay = EventRelay()
    assert relay.feed(event(text)) == event(text)
    assert (relay.done, relay.usage, relay.error, relay.count.tokens >= 1) == (False, None, None, True)


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


def counted(**delta: Any) -> Count:
    count = Count()
    count.add(delta)
    return count


def test_a_long_delta_counts_by_its_bytes() -> None:
    assert counted(content="x" * 400).tokens == 100


def test_role_and_empty_deltas_count_nothing() -> None:
    assert counted(role="assistant", content="").tokens == 0


def test_words_packed_into_one_delta_count_each() -> None:
    assert counted(content="a b c d e f g h i j k l m n o p").least_tokens == 16


@pytest.mark.parametrize("name", ["content", "reasoning", "thinking", "a_name_of_its_own"])
def test_text_counts_under_any_name(name: str) -> None:
    assert counted(**{name: "one two"}).least_tokens == 2


def test_text_in_parts_and_arguments_as_objects_count() -> None:
    assert (
        counted(content=[{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]).least_tokens
        == 3
    )
    assert (
        counted(
            tool_calls=[{"id": "x", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]
        ).least_tokens
        == 2
    )


def test_the_same_text_under_two_names_counts_once() -> None:
    count = counted(
        reasoning="hm", reasoning_content="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm"}]
    )
    assert (count.tokens, count.visible_bytes) == (1, 2)


def test_signatures_are_no_output() -> None:
    assert counted(tool_calls=[{"extra_content": {"google": {"thought_signature": "x" * 4000}}}]).tokens == 0


@given(texts=st.lists(st.text(max_size=60), max_size=10))
def test_the_least_is_never_above_the_usual_and_a_left_answer_pays_for_half_its_bytes(
    texts: list[str],
) -> None:
    count = Count()
    for text in texts:
        count.add({"content": text})
    assert count.least_tokens <= count.tokens <= count.when_left()
    assert count.when_left() * 2 >= sum(len(text.encode()) for text in texts)


def test_the_usage_event_is_made_to_fit_when_the_provider_sent_none() -> None:
    relay = EventRelay()
    relay.feed(event("a"))
    assert relay.final_event("public") == {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [],
    }


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r", b"\n"], ids=["CRLF", "CR", "LF"])
@given(texts=TEXTS, cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_every_line_end_and_a_byte_order_mark_are_read(
    texts: list[str], cuts: list[int], line_end: bytes
) -> None:
    content = b"".join(event(text) for text in texts)
    relay = EventRelay()
    data = b"\xef\xbb\xbf" + (content + usage_event() + DONE).replace(b"\n", line_end)
    groups = [relay.feed(data[:3]), *feed_all(relay, data[3:], cuts)]
    assert b"".join(groups) == content
    assert (relay.done, relay.usage) == (True, USAGE)


def raw(text: str) -> bytes:
    """An event whose content holds escapes as they are."""
    return b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"' + text.encode() + b'"}}]}\n\n'


def content_of(groups: bytes) -> str:
    events = [json.loads(entry[6:]) for entry in groups.decode().split("\n\n") if entry]
    return "".join(choice["delta"].get("content") or "" for entry in events for choice in entry["choices"])


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([raw("a\\ud83d"), raw("\\ude00b")], "a😀b"),
        ([raw("a\\ud83d"), event("b")], "a\ufffdb"),
        ([raw("\\ude00")], "\ufffd"),
        (
            [raw("a\\ud83d"), b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'],
            "a\ufffd",
        ),
        ([raw("a\\ud83d\\ude00")], "a😀"),
    ],
    ids=["two events", "another text", "second half only", "the end", "whole"],
)
def test_halves_of_a_character_become_whole_or_the_replacement_character(
    events: list[bytes], expected: str
) -> None:
    relay = EventRelay()
    assert content_of(b"".join(relay.feed(each) for each in events)) == expected
    assert relay.broken is None


def test_a_late_zero_takes_no_usage_back() -> None:
    relay = EventRelay()
    relay.feed(event("a") + usage_event())
    relay.feed(b'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}\n\n')
    assert relay.usage == USAGE


def test_usage_after_done_and_without_the_last_empty_line_is_read() -> None:
    relay = EventRelay()
    assert relay.feed(event("a") + DONE + usage_event().rstrip(b"\n")) == event("a")
    relay.end()
    assert (relay.done, relay.usage) == (True, USAGE)
    late = EventRelay()
    late.feed(event("a") + usage_event().rstrip(b"\n"))
    late.end()
    assert (late.finished, late.usage) == (True, USAGE)


def test_an_event_cut_off_by_the_end_is_no_event() -> None:
    relay = EventRelay()
    relay.feed(event("a") + b'data: {"choices": [{"del')
    assert relay.end() == b""
    assert (relay.broken, relay.finished) == (None, False)


def test_running_totals_do_not_end_an_answer() -> None:
    relay = EventRelay()
    relay.feed(event("a", usage=USAGE))
    assert not relay.finished


@pytest.mark.parametrize("place", ["choice", "x_groq"])
def test_usage_in_other_places_is_read(place: str) -> None:
    relay = EventRelay()
    choice = {
        "index": 0,
        "delta": {},
        "finish_reason": "stop",
        **({"usage": USAGE} if place == "choice" else {}),
    }
    extra = {"x_groq": {"usage": USAGE}} if place == "x_groq" else {}
    relay.feed(b"data: " + json.dumps({"choices": [choice], **extra}).encode() + b"\n\n")
    assert relay.usage == USAGE


@pytest.mark.parametrize(
    "members",
    [
        {"finish_reason": "error", "error": {"message": "overloaded"}},
        {"finish_reason": "error", "delta": {"content": "overloaded"}},
        {"finish_reason": None, "error": {"message": "overloaded"}},
    ],
)
def test_an_error_in_a_choice_is_no_complete_answer(members: dict[str, Any]) -> None:
    relay = EventRelay()
    passed = relay.feed(
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": {}, **members}]}).encode() + b"\n\n"
    )
    assert (passed, relay.finished) == (b"", False)
    assert relay.error is not None
    assert relay.error["message"] == "overloaded"


def test_a_named_error_event_is_an_error() -> None:
    relay = EventRelay()
    assert relay.feed(b'event: error\ndata: {"message": "boom"}\n\n') == b""
    assert relay.error == {"message": "boom"}


@given(texts=TEXTS, most=st.integers(1, 12), cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_a_stream_is_cut_before_the_event_that_passes_what_is_paid_for(
    texts: list[str], most: int, cuts: list[int]
) -> None:
    relay = EventRelay()
    relay.output_tokens_max = most
    passed = b"".join(feed_all(relay, b"".join(event(text) for text in texts), cuts))
    seen = Count()
    for text in texts:
        seen.add({"content": text})
        if seen.least_tokens > most:
            break
    assert relay.cut == (seen.least_tokens > most)
    assert b"".join(event(text) for text in texts).startswith(passed)
    if relay.cut:
        assert relay.count.least_tokens == seen.least_tokens
        assert relay.cut_event("m")["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]


HUGE = b"1" + b"0" * 400
DEEP = b"[" * 300 + b"]" * 300


@pytest.mark.parametrize("ragged", [b"x", b"\\ud83d"])
@pytest.mark.parametrize(
    "members",
    [
        b'"usage": {"prompt_tokens": %b}' % HUGE,
        b'"usage": {"prompt_tokens": 1, "x": %b}' % DEEP,
        b'"x": %b' % DEEP,
        b'"x": %b' % (b"[" * 5000 + b"]" * 5000),
    ],
)
def test_what_can_be_read_but_not_written_breaks_nothing_of_ours(ragged: bytes, members: bytes) -> None:
    relay = EventRelay()
    passed = relay.feed(
        b'data: {"choices": [{"index": 0, "delta": {"content": "%b"}}], %b}\n\n' % (ragged, members)
    )
    assert relay.broken is not None or passed.startswith(b"data: {")


@pytest.mark.parametrize("index", ["[]", "{}", '"a"', "null"])
def test_places_that_are_no_numbers_are_read_as_the_first(index: str) -> None:
    relay = EventRelay()
    call = f'{{"index": {index}, "function": {{"arguments": "\\\\ud83d"}}}}'
    passed = relay.feed(
        f'data: {{"choices": [{{"index": {index}, "delta": {{"tool_calls": [{call}]}}}}]}}\n\n'.encode()
    )
    assert relay.broken is None
    assert passed.startswith(b"data: {")
