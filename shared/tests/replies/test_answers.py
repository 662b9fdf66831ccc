"""What is known of an answer from the parts of its stream."""

import pytest
from shared.clients.completions import Dispatched, Finished, Part, RefusalText, Text, ToolCallPiece
from shared.replies.answers import ModelAnswer

THOUGHT, WORDS, BLANK = (
    Text(reasoning=True, text="hm"),
    Text(reasoning=False, text="so"),
    Text(reasoning=False, text=" \n"),
)
CALL = ToolCallPiece(0, "a", "f", "{}")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([WORDS], None),
        ([WORDS, Finished("length"), Finished("stop")], "length"),
        ([THOUGHT, WORDS, Finished("stop")], "stop"),
        ([THOUGHT, BLANK, Finished("stop")], "reasoning_only"),
        ([THOUGHT, Finished("length")], "length"),
        ([THOUGHT, Finished("content_filter")], "content_filter"),
        ([THOUGHT, CALL, Finished("tool_calls")], "tool_calls"),
        ([RefusalText("no"), Finished("stop")], "refusal"),
        ([RefusalText("no"), Finished("error")], "error"),
        ([Finished("stop")], "stop"),
    ],
)
def test_why_an_answer_ended(parts: list[Part], reason: str | None) -> None:
    answer = ModelAnswer()
    for part in parts:
        answer.note(part)
    assert (answer.finish_reason, answer.finished) == (reason, reason is not None)


def test_a_call_counts_as_dispatched_whatever_its_id() -> None:
    answer = ModelAnswer()
    answer.note(Dispatched(None))
    assert answer.dispatched
