"""The parts of the loop that decide without a database."""

from typing import Any
from uuid import uuid4

import orjson
import pytest
from agent_service.loop.answer import StepAnswer
from agent_service.loop.history import repeated_call
from agent_service.loop.produced import keep_files, storable
from agent_service.loop.prompt import messages
from agent_service.records.models import StepRow
from agent_service.records.spec import ModelCall, RunSpec
from agent_service.runs.disposition import file_headers
from agent_service.tools.port import ProducedFile, ToolResult
from hypothesis import given
from hypothesis import strategies as st
from shared.clients.completions import Text, ToolCallPiece
from shared.contracts.agents import InputMessage, RunLimits


def call(name: str, arguments: str) -> ModelCall:
    return ModelCall(id="1", name=name, arguments=arguments)


@pytest.mark.parametrize(
    ("made", "is_loop"),
    [
        ([("f", '{"a": 1}')] * 3, True),
        ([("f", '{"a":1,"b":2}'), ("f", '{"b": 2, "a": 1}'), ("f", '{"a":1, "b":2}')], True),
        ([("f", "broken")] * 3, True),
        ([("f", '{"a": 1}')] * 2, False),
        ([("f", "{}"), ("g", "{}"), ("f", "{}")], False),
        ([("f", '{"a": 1}'), ("f", '{"a": 2}'), ("f", '{"a": 1}')], False),
    ],
    ids=["the same", "other order", "no json", "twice", "another tool between", "other arguments"],
)
def test_the_very_same_call_three_times_in_a_row_is_a_loop(
    made: list[tuple[str, str]], is_loop: bool
) -> None:
    assert (repeated_call([call(*one) for one in made]) is not None) == is_loop


def test_pieces_of_calls_add_up_and_get_ids_that_are_their_own() -> None:
    answer = StepAnswer(10_000)
    answer.add_call_piece(ToolCallPiece(0, "a", "f", '{"x"'))
    answer.add_call_piece(ToolCallPiece(1, "a", "g", "{}"))
    answer.add_call_piece(ToolCallPiece(0, None, None, ": 1}"))
    answer.add_call_piece(ToolCallPiece(2, "not/an id", "h", ""))
    made = answer.calls(step=3, taken={"taken"}, calls_max=8)
    assert [(one.id, one.name, one.arguments) for one in made] == [
        ("a", "f", '{"x": 1}'),
        ("call-3-2", "g", "{}"),
        ("call-3-3", "h", ""),
    ]
    assert len(answer.calls(step=3, taken=set(), calls_max=2)) == 2


def test_an_answer_without_end_is_noticed() -> None:
    answer = StepAnswer(10)
    answer.add_text(Text(reasoning=True, text="12345"))
    answer.add_text(Text(reasoning=False, text="12345"))
    assert not answer.too_long
    answer.add_call_piece(ToolCallPiece(0, None, "f", "x"))
    assert answer.too_long


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_can_be_stored(text: str, note: str) -> None:
    storable(text + "\x00\ud800", note=note).encode()


def test_files_are_kept_while_they_fit() -> None:
    made = [
        ProducedFile(name, "text/plain", bytes(size))
        for name, size in (("a", 5), ("b", 11), ("c", 5), ("d", 5))
    ]
    kept = keep_files(uuid4(), ToolResult("ok", files=tuple(made)), bytes_left=12, file_bytes_max=10)
    assert [file.name for file in kept.files] == ["a", "c"]
    assert kept.text == "ok\nNot kept, because too large: b, d."
    assert [row["content"] for row in kept.rows] == [bytes(5), bytes(5)]


@pytest.mark.parametrize(
    ("content_type", "sent", "shown"),
    [
        ("image/png", "image/png", "inline"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
        ("text/html", "application/octet-stream", "attachment"),
        ("text/csv; charset=latin-1", "text/plain; charset=utf-8", "inline"),
        ("application/pdf", "application/octet-stream", "attachment"),
    ],
)
def test_nothing_a_tool_made_can_act_as_a_page(content_type: str, sent: str, shown: str) -> None:
    headers = file_headers('a"\r\n\u00e4.x', content_type)
    assert headers["content-type"] == sent
    assert (
        headers["content-disposition"]
        == f"{shown}; filename=\"a____.x\"; filename*=UTF-8''a%22%0D%0A%C3%A4.x"
    )


def spec(*contents: str, instructions: str = "") -> RunSpec:
    roles = ("user", "assistant")
    said = [InputMessage(role=roles[index % 2], content=content) for index, content in enumerate(contents)]
    return RunSpec(
        instructions=instructions,
        tools=[],
        knowledge_base_ids=[],
        file_ids=[],
        limits=RunLimits(),
        temperature=None,
        messages=said,
    )


def steps(*results: str) -> list[StepRow]:
    """One round of a call and its result for each of `results`."""
    rows: list[StepRow] = []
    for index, result in enumerate(results):
        made = {"id": f"c{index}", "name": "f", "arguments": "broken" if result == "" else "{}"}
        rows.append(
            StepRow(
                step=2 * index + 1,
                kind="model",
                content="",
                reasoning="",
                calls=orjson.dumps([made]).decode(),
            )
        )
        rows.append(
            StepRow(
                step=2 * index + 2, kind="tool", call_id=f"c{index}", result=result, calls="[]", content=""
            )
        )
    return rows


def shape(prompt: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in prompt]


def test_the_newest_of_the_conversation_goes_when_not_all_fits() -> None:
    prompt = messages(
        spec("old " * 300, "reply", "newer", "yes", "now", instructions="Be brief."), [], [], bytes_max=250
    )
    assert prompt.left_out == 2
    assert shape(prompt.messages) == [
        ("system", "Be brief."),
        ("user", "newer"),
        ("assistant", "yes"),
        ("user", "now"),
    ]


def test_the_oldest_results_are_shortened_first() -> None:
    prompt = messages(spec("now"), steps("a" * 3000, "b" * 3000), [], bytes_max=5000)
    first, second = [message["content"] for message in prompt.messages if message["role"] == "tool"]
    assert first.endswith("[shortened]")
    assert len(first) < 2000
    assert second == "b" * 3000


def test_arguments_that_are_no_object_are_not_sent_back() -> None:
    prompt = messages(spec("now"), steps(""), [], bytes_max=5000)
    assert prompt.messages[1]["tool_calls"][0]["function"]["arguments"] == "{}"


PASSAGES = [(1, "The melting point of tin is 231.9 degrees."), (2, "Tin is soft.")]


def answered(text: str, *pieces: ToolCallPiece) -> StepAnswer:
    answer = StepAnswer(10_000)
    answer.add_text(Text(reasoning=False, text=text))
    for piece in pieces:
        answer.add_call_piece(piece)
    return answer


def test_an_answer_that_rests_on_a_passage_and_cites_none_is_marked() -> None:
    answer = answered("Its melting point is 231.9 degrees.")
    assert answer.end_marks(PASSAGES) == " [1]"
    assert answer.text() == "Its melting point is 231.9 degrees. [1]"
    assert answered("Its melting point is 231.9 degrees [1].").end_marks(PASSAGES) == ""


def test_words_before_a_call_are_not_marked() -> None:
    piece = ToolCallPiece(index=0, call_id="1", name="search_documents", arguments="{}")
    assert answered("Its melting point is 231.9 degrees.", piece).end_marks(PASSAGES) == ""
