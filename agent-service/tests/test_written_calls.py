"""Calls that a model wrote out as text."""

import orjson
import pytest
from agent_service.loop.written_calls import HeldText, WrittenCall
from hypothesis import given
from hypothesis import strategies as st

CALL = '{"name": "calculator", "arguments": {"expression": "37 * 91"}}'
OFFERED = {"calculator": frozenset({"expression"}), "search_documents": frozenset({"query", "type"})}


def read(text: str, *, size: int = 3) -> tuple[WrittenCall | None, str]:
    """The call and all the text that was shown, fed in pieces."""
    held = HeldText(OFFERED)
    shown = "".join(held.feed(text[at : at + size]) for at in range(0, len(text), size))
    call, rest = held.end()
    return call, shown + rest


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"```json\n{CALL}\n```",
        f"```\n{CALL}\n```",
        f"\n  {CALL}\n",
        CALL.replace("arguments", "parameters"),
    ],
    ids=["bare", "json fence", "fence", "white space", "parameters"],
)
def test_an_answer_that_is_a_call_is_taken_as_one_and_not_shown(text: str) -> None:
    call, shown = read(text)
    assert call is not None
    assert (call.name, orjson.loads(call.arguments), shown) == ("calculator", {"expression": "37 * 91"}, "")


@pytest.mark.parametrize(
    "text",
    [
        "The result is 3367.",
        '{"answer": 3367}',
        CALL.replace("calculator", "launch_rocket"),
        f"{CALL} is what I would call",
        '{"name": "calculator", "arguments": "37 * 91"}',
        "```python\nprint(37 * 91)\n```",
        "```json\n[1, 2]\n```",
        "{" * 20_000,
        "",
    ],
    ids=[
        "words",
        "other json",
        "unknown tool",
        "words after",
        "arguments as text",
        "code",
        "list",
        "too long",
        "nothing",
    ],
)
def test_everything_else_is_shown_as_it_is(text: str) -> None:
    assert read(text, size=500 if len(text) > 1000 else 3) == (None, text)


def test_words_of_the_schema_among_the_arguments_are_left_out() -> None:
    copied = '"type": "string", "required": ["expression"], "additionalProperties": false'
    call, _ = read(CALL.replace("}}", f", {copied}}}}}"))
    assert call is not None
    assert orjson.loads(call.arguments) == {"expression": "37 * 91"}


def test_a_parameter_that_is_named_like_such_a_word_is_kept() -> None:
    call, _ = read(
        '{"name": "search_documents", "arguments": {"query": "tides", "type": "pdf", "required": []}}'
    )
    assert call is not None
    assert orjson.loads(call.arguments) == {"query": "tides", "type": "pdf"}


def test_unknown_arguments_are_left_for_the_check_to_refuse() -> None:
    call, _ = read('{"name": "calculator", "arguments": {"expression": "1", "digits": 3}}')
    assert call is not None
    assert orjson.loads(call.arguments) == {"expression": "1", "digits": 3}


def test_without_tools_nothing_is_kept_back() -> None:
    held = HeldText({})
    assert held.feed("{") == "{"
    assert held.end() == (None, "")


def test_plain_words_are_shown_at_once() -> None:
    held = HeldText(OFFERED)
    assert held.feed("The") == "The"
    assert held.feed(" {") == " {"


@given(st.text(max_size=300), st.integers(1, 7))
def test_no_text_is_ever_lost(text: str, size: int) -> None:
    assert read(text, size=size) == (None, text)
