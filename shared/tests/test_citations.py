"""Marks for answers that rest on passages and do not say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.citations import cited, missing_marks

PASSAGES = (
    (1, "The lighthouse keeper of Norrholm is called Ottilie Brandvik. The ascent has 212 steps."),
    (2, "The tower was built in 1874 and painted white and red."),
    (3, "The lamp turns once every nine seconds and is seen from 31 kilometres."),
)


@pytest.mark.parametrize(
    ("answer", "marks"),
    [
        ("The lighthouse keeper of Norrholm is Ottilie Brandvik.", " [1]"),
        ("The tower was built in 1874. The lamp is seen from 31 kilometres.", " [2][3]"),
        ("It was built in 1874 and painted.", " [2]"),
        ("The lighthouse keeper is Ottilie Brandvik [1].", ""),
        ("The documents do not say what a ticket costs.", ""),
        ("A completely different matter, about bicycles.", ""),
        ("", ""),
    ],
    ids=[
        "one",
        "two sentences",
        "paraphrase",
        "cites already",
        "says that it is not there",
        "another matter",
        "empty",
    ],
)
def test_an_answer_is_marked_with_what_it_rests_on(answer: str, marks: str) -> None:
    assert missing_marks(answer, PASSAGES) == marks


def test_numbers_of_no_passage_are_no_citations() -> None:
    assert cited("[7] and [2], then [2] and [1]; array[3] counts too", (1, 2, 3)) == [2, 1, 3]
    assert missing_marks("The tower was built in 1874 [9].", PASSAGES) == " [2]"


def test_without_passages_there_is_nothing_to_mark() -> None:
    assert missing_marks("The tower was built in 1874.", ()) == ""


@given(st.text(max_size=400), st.lists(st.text(max_size=200), max_size=6))
def test_marks_name_passages_once_and_marking_twice_changes_nothing(answer: str, texts: list[str]) -> None:
    passages = list(enumerate(texts, start=1))
    marks = missing_marks(answer, passages)
    numbers = cited(marks, range(1, 7))
    assert len(numbers) == len(set(numbers))
    assert all(1 <= number <= len(texts) for number in numbers)
    if marks:
        assert missing_marks(answer + marks, passages) == ""
