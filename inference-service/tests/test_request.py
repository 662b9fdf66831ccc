"""What a chat completion request may hold, and the bound on its tokens."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_service.completions.request import ChatRequest, RequestLimits, parse_chat
from shared.errors import BadRequest

LIMITS = RequestLimits(messages_max=10, choices_max=4)
HELLO = [{"role": "user", "content": "hello"}]
TEXT: dict[str, Any] = {"type": "text", "text": "x"}


def image(**members: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", **members}}


IMAGE = image()


def parts(*entries: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(entries)}]


def parse(**members: Any) -> ChatRequest:
    return parse_chat(orjson.dumps({"model": "m", "messages": HELLO, **members}), LIMITS)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 7}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": HELLO * 11}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            {"messages": parts({**TEXT, "image_url": {"url": "http://169.254.169.254/"}})},
            "messages[0].content[0].image_url",
        ),
        ({"messages": parts({**TEXT, "refusal": "unmeasured"})}, "messages[0].content[0].refusal"),
        (
            {"messages": parts({"type": "refusal", "refusal": "x", "text": "unmeasured"})},
            "messages[0].content[0].text",
        ),
        ({"messages": parts({**IMAGE, "text": "unmeasured"})}, "messages[0].content[0].text"),
        ({"messages": parts(image(detail="high " * 100))}, "messages[0].content[0].image_url.detail"),
        ({"messages": parts(image(detail={"a": "b"}))}, "messages[0].content[0].image_url.detail"),
        ({"tool_choice": {"type": "function", "function": {"name": "f" * 300}}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        (
            {
                "tools": [{"type": "function", "function": {"name": "g"}}],
                "tool_choice": {"function": {"name": "f"}},
            },
            "tool_choice",
        ),
        ({"tool_choice": {"type": "x" * 300, "function": {"name": "f"}}}, "tool_choice"),
        (
            {"stream": True, "stream_options": {"include_obfuscation": "x" * 300}},
            "stream_options.include_obfuscation",
        ),
        ({"n": 0}, "n"),
        ({"n": 5}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stop": [1]}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_bad_input_is_refused_naming_the_parameter(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(**members)
    assert refused.value.extra["param"] == param


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_chat(raw, LIMITS)


@given(text=st.text(max_size=300), copies=st.integers(1, 10))
def test_the_bound_covers_every_byte_of_content(text: str, copies: int) -> None:
    messages = [{"role": "user", "content": text}] * copies
    request = parse_chat(orjson.dumps({"model": "m", "messages": messages}), LIMITS)
    assert request.input_tokens_bound >= len(text.encode()) * copies + copies


def test_tool_schemas_and_formats_are_part_of_the_bound() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"x": "y" * 500}}}
    schema = {"type": "json_schema", "json_schema": {"schema": {"x": "y" * 700}}}
    assert parse(tools=[tool], response_format=schema).input_tokens_bound - parse().input_tokens_bound >= 1200


@pytest.mark.parametrize("chosen", ["text", "json_object", "json_schema"])
def test_a_schema_counts_whatever_the_type_says(chosen: str) -> None:
    wanted = {"type": chosen, "json_schema": {"schema": {"x": "y" * 700}}}
    assert parse(response_format=wanted).input_tokens_bound - parse().input_tokens_bound >= 700


@pytest.mark.parametrize("part", [{**TEXT, "cache_control": {"x": "y" * 700}}, image(max_pixels="y" * 700)])
def test_what_an_operator_may_let_through_beside_a_part_counts(part: dict[str, Any]) -> None:
    bare = {**part, "image_url": IMAGE["image_url"]} if part["type"] == "image_url" else TEXT
    assert (
        parse(messages=parts(part)).input_tokens_bound - parse(messages=parts(bare)).input_tokens_bound >= 690
    )


def test_members_of_other_kinds_that_are_null_count_as_absent() -> None:
    part = {**TEXT, "image_url": None, "refusal": None}
    assert parse(messages=parts(part)).body["messages"] == parts(part)


def test_the_smaller_of_both_output_limits_counts() -> None:
    assert parse(max_tokens=10, max_completion_tokens=20).output_tokens_asked == 10
    assert parse().output_tokens_asked is None


def test_nulls_count_as_absent() -> None:
    request = parse(
        n=None,
        stream=None,
        tools=None,
        temperature=None,
        stop=None,
        response_format=None,
        stream_options=None,
    )
    assert (request.choices, request.stream) == (1, False)
