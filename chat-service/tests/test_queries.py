"""What a reply is looked up by, and the order of what several look-ups found."""

from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from chat_service.writing.queries import FOLLOW_UP_CHARS_MAX, fused, queries_of
from shared.contracts.retrieval import QUERY_CHARS_MAX, Passage, SearchRequest
from shared.replies.fitting import PromptLine


def asked(*questions: str) -> list[str]:
    """The queries of the last of these questions, each but the last of which was answered."""
    lines = [
        line
        for question in questions
        for line in (PromptLine("user", question), PromptLine("assistant", "An answer."))
    ]
    return queries_of(lines[:-1], questions[-1])


def test_a_first_message_is_looked_up_once() -> None:
    assert asked("How much\n is  it?") == ["How much is it?"]
    assert queries_of([], "How much?") == ["How much?"]


def test_a_follow_up_is_looked_up_alone_and_behind_the_two_questions_before_it() -> None:
    assert asked("The lamp?", "Who lit it?") == ["Who lit it?", "The lamp? Who lit it?"]
    assert asked("The sea?", "The lamp?", "Who lit it?", "Why?") == ["Why?", "The lamp? Who lit it? Why?"]


def test_questions_without_words_and_repeated_ones_add_nothing() -> None:
    assert asked("Why?", " ", "Why?") == ["Why?"]
    assert asked("The lamp?", "The lamp?", " ", "Why?") == ["Why?", "The lamp? Why?"]
    assert asked("The lamp?", "\x00 ") == ["summary", "The lamp? summary"]


@pytest.mark.parametrize("before", ["word " * 2000, "x" * 5000, "ä\x00" * 3000])
@pytest.mark.parametrize("last", ["Why?", "why " * 140, "why " * 150, "why " * 5000, "y" * 9000, "\x00"])
def test_a_query_is_bounded_and_ends_with_the_whole_message(before: str, last: str) -> None:
    alone, *follow_ups = asked(before, "The lamp?", last)
    assert len(alone) <= QUERY_CHARS_MAX
    for follow_up in follow_ups:
        assert len(follow_up) <= FOLLOW_UP_CHARS_MAX
        assert follow_up.endswith(f" {alone}")
    for query in (alone, *follow_ups):
        SearchRequest(query=query)
    assert len(follow_ups) == (len(alone) < 560)


def passages(*numbers: int) -> list[Passage]:
    more: dict[str, Any] = {
        "score": 0.5,
        "file_id": UUID(int=0),
        "filename": "f",
        "page": None,
        "heading": None,
        "start": 0,
        "end": 1,
    }
    return [Passage(chunk_id=UUID(int=number), text=str(number), **more) for number in numbers]


def test_one_ranking_stays_as_it_is() -> None:
    assert fused([passages(3, 1, 2)], k=5) == passages(3, 1, 2)
    assert fused([[], passages(3, 1, 2)], k=2) == passages(3, 1)
    assert fused([[], []], k=5) == []


def test_rankings_take_turns_and_what_both_found_comes_once_and_first() -> None:
    assert fused([passages(1, 2, 3), passages(7, 8, 9)], k=5) == passages(1, 7, 2, 8, 3)
    assert fused([passages(1, 2, 3), passages(7, 2, 9)], k=5) == passages(2, 1, 7, 3, 9)


def test_to_be_last_in_both_is_less_than_to_be_first_in_one() -> None:
    assert fused([passages(1, 2, 3, 4, 5), passages(6, 7, 8, 4, 5)], k=5)[:2] == passages(1, 6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_of_any_beginning_at_least_half_is_of_the_first_ranking(k: int) -> None:
    first = passages(1, 2, 3)[:k]
    for second in permutations(passages(1, 2, 3, 4, 5, 6), k):
        best = fused([first, second], k=k)
        assert len({passage.chunk_id for passage in best}) == len(best) == k
        for count in range(1, k + 1):
            assert 2 * sum(passage in first for passage in best[:count]) >= count
