"""One reader for every dialect: whatever a provider cuts in two comes out whole, and nothing it sends is lost
or fails the answer.
"""

import json
from itertools import pairwise
from typing import Any

import pytest
from chunks import CUTS, call, calls, chunk, cut, read, said
from hypothesis import given
from hypothesis import strategies as st
from shared.deltas import (
    Finished,
    RefusalText,
    Text,
    ThinkSplitter,
    ToolCallPiece,
    UsageReport,
    error_of,
    read_answer,
    usage_of,
)
from shared.surrogates import SurrogateJoiner, parse_json, storable


@given(
    thought=st.text(max_size=40),
    answer=st.text(max_size=40),
    cuts=CUTS,
    tag=st.sampled_from(["think", "thinking", "thought"]),
)
def test_a_think_block_is_reasoning_wherever_it_is_cut(
    thought: str, answer: str, cuts: list[int], tag: str
) -> None:
    whole = read(chunk({"content": f"<{tag}>{thought}</{tag}>{answer}"}))
    parts = read(*(chunk({"content": piece}) for piece in cut(f"<{tag}>{thought}</{tag}>{answer}", cuts)))
    assert said(parts) == said(whole)
    assert said(parts, reasoning=True) == said(whole, reasoning=True)
    if f"</{tag}>" not in thought + answer and not answer[:1].isspace():
        assert said(parts) == answer.replace("\x00", "")
        assert said(parts, reasoning=True) == thought.replace("\x00", "").lstrip()


@given(text=st.text(alphabet=st.sampled_from("<>/think \n"), max_size=30), cuts=CUTS)
def test_text_with_pieces_of_tags_is_split_the_same_however_it_is_cut(text: str, cuts: list[int]) -> None:
    def split(pieces: list[str]) -> tuple[str, str]:
        splitter = ThinkSplitter()
        found = [pair for piece in pieces for pair in splitter.feed(piece)] + splitter.end()
        return "".join(piece for kind, piece in found if kind == "text"), "".join(
            piece for kind, piece in found if kind == "reasoning"
        )

    assert split(cut(text, cuts)) == split([text])


@given(text=st.text(max_size=40))
def test_an_answer_without_a_think_block_is_untouched(text: str) -> None:
    if not text.lstrip().startswith("<th"):
        assert said(read(chunk({"content": text}))) == text.replace("\x00", "")


def test_an_unclosed_think_block_is_all_reasoning() -> None:
    parts = read(chunk({"content": "<think>hm, "}), chunk({"content": "well</thi"}, "length"))
    assert (said(parts), said(parts, reasoning=True), parts[-1]) == ("", "hm, well</thi", Finished("length"))


def test_a_tag_in_the_middle_of_an_answer_is_text() -> None:
    assert (
        said(read(chunk({"content": "write "}), chunk({"content": "<think> first"}))) == "write <think> first"
    )


@given(text=st.text(max_size=30), cuts=CUTS)
def test_halves_of_characters_are_joined_over_chunks(text: str, cuts: list[int]) -> None:
    units = text.encode("utf-16-le")
    pieces = [
        units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
        for start, end in pairwise(
            sorted({place % (len(units) // 2 + 1) for place in cuts} | {0, len(units) // 2})
        )
    ]
    joiner = SurrogateJoiner()
    assert "".join(joiner.feed(piece) for piece in pieces) + joiner.end() == text


ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]), max_size=20)


@given(
    pieces=st.lists(ANY_TEXT, max_size=8), names=st.sampled_from(["content", "reasoning_content", "refusal"])
)
def test_lone_halves_never_fail_and_become_the_replacement_character(pieces: list[str], names: str) -> None:
    chunks = [parse_json(json.dumps(chunk({names: piece})).encode()) for piece in pieces]
    parts = read(*chunks)  # pyright: ignore[reportArgumentType]
    text = "".join(part.text for part in parts if isinstance(part, Text | RefusalText))
    text.encode()
    assert "\x00" not in text


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [(["a\ud83d", "\ude00b"], "a😀b"), (["a\ud83d", "b"], "a�b"), (["\ude00"], "�"), (["x\ud83d"], "x�")],
    ids=["two events", "another text follows", "only the second", "only the first"],
)
@pytest.mark.parametrize("name", ["content", "reasoning_content"])
def test_an_emoji_in_two_events(pieces: list[str], expected: str, name: str) -> None:
    assert said(read(*(chunk({name: piece}) for piece in pieces)), reasoning=name != "content") == expected


def test_bytes_that_are_no_utf8_are_read() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": "x\xffy"}') == {"a": "x�y"}
    with pytest.raises(ValueError, match="deep"):
        parse_json(b"[" * 200_000 + b"\xff")


@given(
    value=st.recursive(
        st.none() | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    )
)
def test_what_is_storable_can_be_written(value: object) -> None:
    written = json.dumps(storable(value), ensure_ascii=False).encode()
    assert b"\\u0000" not in written


@pytest.mark.parametrize(
    ("content", "answer", "thought"),
    [
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two", ""),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "yes"},
            ],
            "yes",
            "hm",
        ),
        ({"type": "output_text", "text": "x"}, "x", ""),
        (["a", "b"], "ab", ""),
        (17, "", ""),
        ([None, {"type": "image_url"}, {"type": "text"}], "", ""),
    ],
    ids=["parts", "thinking part", "one part", "strings", "a number", "nothing to read"],
)
def test_content_in_parts_is_read_as_text(content: object, answer: str, thought: str) -> None:
    parts = read(chunk({"content": content}))
    assert (said(parts), said(parts, reasoning=True)) == (answer, thought)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {
            "reasoning": "hm",
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
        },
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm"},
                {"type": "reasoning.encrypted", "data": "xx"},
            ]
        },
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"reasoning": {"content": "hm"}},
    ],
)
def test_reasoning_is_read_once_in_each_dialect(delta: dict[str, Any]) -> None:
    assert said(read(chunk(delta)), reasoning=True) == "hm"


def test_a_refusal_is_a_part_of_its_own() -> None:
    parts = read(chunk({"refusal": "I can"}), chunk({"refusal": "not"}, "stop"))
    assert parts == [RefusalText("I can"), RefusalText("not"), Finished("stop")]


TWO = [("f", '{"a":1}', {}), ("g", '{"b":2}', {})]


@pytest.mark.parametrize(
    "deltas",
    [
        [[call("f", '{"a":1}', index=0, id="x"), call("g", '{"b":2}', index=1, id="y")]],
        [[call("f", '{"a":1}', index=0, id="x")], [call("g", '{"b":2}', index=0, id="y")]],
        [[call("f", '{"a":1}', id="x")], [call("g", '{"b":2}', id="y")]],
        [[call("f", '{"a":1}', id="x"), call("g", '{"b":2}', id="y")]],
        [[call("f", {"a": 1}), call("g", {"b": 2})]],
        [[call("f", {"a": 1}, index=0)], [call("g", {"b": 2}, index=0)]],
        [
            [call("f", "", index=0, id="x")],
            [call(None, '{"a":', index=0)],
            [call(None, "1}", index=0)],
            [call("g", "", index=0, id="y")],
            [call(None, '{"b":2}', index=0)],
        ],
        [[call("f", '{"a"', id="x")], [call(None, ":1}")], [call("g", '{"b"', id="y")], [call(None, ":2}")]],
        [[call("f", '{"a"', id="x")], [call("g", '{"b"', id="y")], [call(None, ":1}", id="x")],
        [call(None, ":2}", id="y")]],
        [[call("f", '{"a"', index=0)], [call("g", '{"b"', index=1)],
        [call(None, ":1}", index=0), call(None, ":2}", index=1)]],
        [[call("f", '{"a"', index=0, id="x"), call("g", '{"b":2}', index=1, id="x")],
        [call(None, ":1}", index=0)]],
        [[call("f", '{"a"', index=0, id="x")], [call("f", ":1}", index=0, id="x")],
        [call("g", '{"b":2}', index=1, id="y")]],
    ],
    ids=[
        "index and id", "same index", "no index", (
            "no index in one list"
        ), "neither, objects", "objects, same index", "pieces, same index",
        "pieces, no index", "pieces by id", "interleaved", "same id", "name and id repeated",
    ],
)  # fmt: skip
def test_two_parallel_calls_stay_two(deltas: list[list[dict[str, Any]]]) -> None:
    assert calls(read(*(chunk({"tool_calls": delta}) for delta in deltas))) == TWO


def test_two_calls_of_one_tool_without_ids_stay_two() -> None:
    parts = read(chunk({"tool_calls": [call("f", {"a": 1})]}), chunk({"tool_calls": [call("f", {"a": 2})]}))
    assert calls(parts) == [("f", '{"a":1}', {}), ("f", '{"a":2}', {})]


def test_arguments_as_an_object_become_json() -> None:
    assert calls(read(chunk({"tool_calls": [call("f", {"city": "Köln", "days": [1, 2]}, id="x")]}))) == [
        ("f", '{"city":"Köln","days":[1,2]}', {})
    ]


def test_members_that_a_provider_wants_back_are_kept() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    assert calls(read(chunk({"tool_calls": [call("f", "{}", index=0, id="x", **extra)]}))) == [
        ("f", "{}", extra)
    ]


@given(
    arguments=st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3), min_size=1, max_size=4
    ),
    cuts=CUTS,
    indexed=st.booleans(),
)
def test_the_arguments_of_calls_survive_any_cut(
    arguments: list[dict[str, str]], cuts: list[int], indexed: bool
) -> None:
    chunks: list[dict[str, Any]] = []
    for number, value in enumerate(arguments):
        place = {"index": number} if indexed else {}
        chunks.append(chunk({"tool_calls": [call("f", "", id=f"call-{number}", **place)]}))
        chunks += [
            chunk({"tool_calls": [call(None, piece, **place)]}) for piece in cut(json.dumps(value), cuts)
        ]
    found = calls(read(*chunks))
    assert [json.loads(text) for _, text, _ in found] == arguments


def test_calls_without_end_are_bounded() -> None:
    parts = read(chunk({"tool_calls": [call("f", "{}", id=str(number)) for number in range(2000)]}))
    assert len(calls(parts)) == 512


@pytest.mark.parametrize(
    ("given_reason", "read_reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("function_call", "tool_calls"),
        ("SAFETY", "content_filter"),
    ],
)
def test_the_reason_is_told_once_in_one_language(given_reason: str, read_reason: str) -> None:
    parts = read(chunk({"content": "x"}, given_reason), chunk({}, "stop"))
    assert [part for part in parts if isinstance(part, Finished)] == [Finished(read_reason)]


def test_figures_are_found_where_each_provider_puts_them() -> None:
    usage = {"prompt_tokens": 3}
    assert usage_of({"choices": [], "usage": usage}) == usage
    assert usage_of({"choices": [{"delta": {}, "usage": usage}]}) == usage
    assert usage_of({"choices": [], "x_groq": {"usage": usage}}) == usage
    assert usage_of(chunk({}, usage=None)) is None
    assert UsageReport(usage) in read({"choices": [], "usage": usage})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"error": {"message": "boom"}}, "boom"),
        ({"error": "boom"}, "boom"),
        (
            {"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "overloaded"}}]},
            "overloaded",
        ),
        ({"choices": [{"delta": {"content": "overloaded"}, "finish_reason": "error"}]}, "overloaded"),
        (
            {"choices": [{"delta": {}, "finish_reason": "error"}]},
            "the provider ended its answer with an error",
        ),
    ],
)
def test_errors_are_found_in_the_answer_and_in_a_choice(members: dict[str, Any], message: str) -> None:
    error = error_of(members)
    assert error is not None
    assert error["message"] == message
    assert error_of(chunk({"content": "error"}, "stop", error=None)) is None


def test_a_whole_answer_is_read_as_a_stream_is() -> None:
    message = {
        "role": "assistant",
        "content": "<think>hm</think>yes",
        "tool_calls": [call("f", {"a": 1}, id="x")],
    }
    parts = read_answer(
        {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    )
    assert (said(parts), said(parts, reasoning=True), calls(parts)) == ("yes", "hm", [("f", '{"a":1}', {})])
    assert parts[-2:] == [Finished("stop"), UsageReport({"total_tokens": 3})]


NAMES = st.sampled_from(
    ["index", "id", "function", "name", "arguments", "type", "text", "thinking", "content"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(
    deltas=st.lists(
        st.dictionaries(
            st.sampled_from(["content", "reasoning", "reasoning_content", "refusal", "tool_calls", "role"]),
            JSON,
        ),
        max_size=4,
    ),
    reason=JSON,
    usage=JSON,
)
def test_no_shape_of_a_delta_fails_the_answer(deltas: list[dict[str, Any]], reason: Any, usage: Any) -> None:
    parts = read(*(chunk(delta, reason, usage=usage) for delta in deltas))
    assert sum(isinstance(part, Finished) for part in parts) == 1
    for part in parts:
        if isinstance(part, ToolCallPiece):
            json.dumps([part.name, part.call_id, part.arguments, part.extra], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("max_tokens", "length"),
        ("\x00", "stop"),
        ("odd\x00 word", "odd word"),
        ("half \ud800", "half \ufffd"),
        ("x" * 9_000, "x" * 64),
    ],
)
def test_why_an_answer_ended_can_be_stored_whatever_word_a_provider_has_for_it(
    word: str, reason: str
) -> None:
    assert read(chunk({"content": "y"}, word))[-1] == Finished(reason)
