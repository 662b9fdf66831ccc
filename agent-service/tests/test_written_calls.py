"""Calls that a model wrote out as text."""

import orjson
import pytest
from agent_service.runs.written_calls import HeldText, WrittenCall
from hypothesis import given
from hypothesis import strategies as st

CALL = '{"name": "calculator", "arguments": {"expression": "37 * 91"}}'
NAMES = ("calculator", "search_documents")


def read(text: str, *, size: int = 3, names: tuple[str, ...] = NAMES) -> tuple[WrittenCall | None, str]:
    """The call and all the text that was shown, fed in pieces."""
    held = HeldText(names)
    shown = "".join(held.feed(text[at : at + size]) for at in range(0, len(text), size))
    call, rest = held.end()
    return call, shown + rest


@pytest.mark.parametrize(
    "text",
    [CALL, f"```json\n{CALL}\n```", f"```\n{CALL}\n```", f"\n  {CALL}\n", CALL.replace("arguments", "parameters")],
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
    ids=["words", "other json", "unknown tool", "words after", "arguments as text", "code", "list", "too long", "nothing"],
)
def test_everything_else_is_shown_as_it_is(text: str) -> None:
    assert read(text, size=500 if len(text) > 1000 else 3) == (None, text)


def test_without_tools_nothing_is_kept_back() -> None:
    held = HeldText(())
    assert held.feed("{") == "{"
    assert held.end() == (None, "")


def test_plain_words_are_shown_at_once() -> None:
    held = HeldText(NAMES)
    assert held.feed("The") == "The"
    assert held.feed(" {") == " {"


@given(st.text(max_size=300), st.integers(1, 7))
def test_no_text_is_ever_lost(text: str, size: int) -> None:
    assert read(text, size=size) == (None, text)
