"""Cutting text into passages: nothing lost, every offset right, no passage longer than the model reads."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from retrieval_service.parsing.blocks import Block, DocumentText, clean, clean_line
from retrieval_service.parsing.splitter import Piece, Splitter
from retrieval_service.parsing.tokens import token_counter
from tokenizers import Tokenizer

TOKENS_MAX = 60
OVERLAP = 15


class Model:
    """The real tokenizer, counting whole texts as the encoder does."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.count = token_counter(folder / "tokenizer.json")

    def length(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.fixture(scope="module")
def model(embedding_model_folder: Path) -> Model:
    return Model(embedding_model_folder)


def document(*blocks: Block) -> DocumentText:
    found = DocumentText(1_000_000)
    for block in blocks:
        found.add(Block(clean(block.text), block.page, block.headings))
    return found


def split(
    model: Model, found: DocumentText, *, tokens_max: int = TOKENS_MAX, overlap: int = OVERLAP
) -> list[Piece]:
    return list(
        Splitter(model.count, tokens_max=tokens_max, overlap_tokens=overlap).split(found.text, found.sections)
    )


WORDS = st.one_of(
    st.sampled_from(
        [
            "the",
            "internationalisation",
            "e.g.",
            "x",
            "42",
            "Ångström",
            "naïve",
            "한국어",
            "東京都。",
            "don't",
            "==>",
            "👩‍👩‍👧",
            "\u0301",
        ]
    ),
    st.text(min_size=1, max_size=300),
    st.integers(1, 3000).map(lambda size: "a" * size),
    st.integers(1, 400).map(lambda size: "京" * size),
    st.integers(1, 200).map(lambda size: "x1-" * size),
)
SEPARATORS = st.sampled_from([" ", " ", " ", ". ", ".\n", "\n", "\n\n", "\t", "    ", ";", " " * 500])
TEXTS = st.lists(st.tuples(WORDS, SEPARATORS), max_size=60).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)
HEADINGS = st.sampled_from([(), ("A",), ("A", "B"), ("A", "C"), ("D",)])
BLOCKS = st.lists(st.builds(Block, TEXTS, st.one_of(st.none(), st.integers(1, 3)), HEADINGS), max_size=8)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BLOCKS)
@example([])
@example([Block("a" * 50_000)])
@example([Block("word " * 500), Block("tail", page=2)])
def test_passages_hold_the_whole_text_in_order_within_their_bounds(model: Model, blocks: list[Block]) -> None:
    found = document(*blocks)
    text, pieces = found.text, split(model, found)
    covered = bytearray(len(text))
    for piece in pieces:
        assert 0 <= piece.start < piece.end <= len(text)
        assert text[piece.start : piece.end].strip() == text[piece.start : piece.end]
        assert model.length(text[piece.start : piece.end]) == piece.tokens <= TOKENS_MAX
        assert piece.end - piece.start <= 10 * TOKENS_MAX
        covered[piece.start : piece.end] = b"\x01" * (piece.end - piece.start)
    lost = [
        character
        for character, seen in zip(text, covered, strict=True)
        if not seen and not character.isspace()
    ]
    assert not lost
    for one, two in pairwise(pieces):
        assert one.start < two.start
        assert one.end < two.end
        assert two.start >= one.end or model.length(text[two.start : one.end]) <= OVERLAP
    pages = {section.page for section in found.sections}
    assert all(piece.page in pages for piece in pieces)
    assert all(_on_one_page(piece, found) for piece in pieces)


def _on_one_page(piece: Piece, found: DocumentText) -> bool:
    touched = {
        section.page for section in found.sections if section.start < piece.end and piece.start < section.end
    }
    return touched == {piece.page}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
def test_cleaning_twice_changes_nothing_and_keeps_words(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert "\r" not in once
    assert "\n\n\n" not in once
    assert clean_line(once) == " ".join(clean_line(text).split(" "))


def sentences(count: int) -> str:
    return " ".join(f"This is sentence number {number} of the text." for number in range(count))


def texts_of(found: DocumentText, pieces: Sequence[Piece]) -> list[str]:
    return [found.text[piece.start : piece.end] for piece in pieces]


def test_a_passage_ends_with_a_sentence_and_the_next_repeats_its_end(model: Model) -> None:
    found = document(Block(sentences(30)))
    pieces = split(model, found)
    texts = texts_of(found, pieces)
    assert all(text.startswith("This is") and text.endswith("of the text.") for text in texts)
    assert all(two.start < one.end for one, two in pairwise(pieces))


def test_without_overlap_nothing_is_repeated(model: Model) -> None:
    found = document(Block(sentences(30)))
    pieces = split(model, found, overlap=0)
    assert all(two.start >= one.end for one, two in pairwise(pieces))


def test_a_passage_would_rather_end_with_a_paragraph(model: Model) -> None:
    first, second = sentences(5), sentences(5)
    found = document(Block(f"{first}\n\n{second}"))
    assert texts_of(found, split(model, found, overlap=0)) == [first, second]


def test_a_long_sentence_is_cut_between_words(model: Model) -> None:
    found = document(Block("word " * 300))
    texts = texts_of(found, split(model, found))
    assert all(set(text.split(" ")) == {"word"} for text in texts)


def test_small_sections_under_one_top_heading_share_a_passage(model: Model) -> None:
    found = document(
        Block("Guide", headings=("Guide",)),
        Block("One.", headings=("Guide", "One")),
        Block("Two.", headings=("Guide", "Two")),
    )
    assert texts_of(found, split(model, found)) == ["Guide\n\nOne.\n\nTwo."]


def test_top_headings_and_pages_keep_their_passages_apart(model: Model) -> None:
    found = document(Block("One.", 1, ("A",)), Block("Two.", 1, ("B",)), Block("Three.", 2, ("B",)))
    pieces = split(model, found)
    assert [(piece.page, piece.heading) for piece in pieces] == [(1, "A"), (1, "B"), (2, "B")]


def test_a_heading_without_text_goes_with_what_follows(model: Model) -> None:
    long = sentences(20)
    found = document(Block("Results", headings=("Results",)), Block(long, headings=("Results", "Sales")))
    pieces = split(model, found)
    assert texts_of(found, pieces)[0].startswith("Results\n\nThis is sentence number 0")
    assert {piece.heading for piece in pieces} == {"Results › Sales"}


@pytest.mark.parametrize("text", ["", "\n\n", " \t "], ids=["nothing", "lines", "spaces"])
def test_no_text_makes_no_passage(model: Model, text: str) -> None:
    assert split(model, document(Block(text))) == []


def test_counting_words_one_by_one_is_counting_the_text(model: Model) -> None:
    text = "Don't panic: 東京 and naïve Ångström_42 -- (internationalisation)\n" * 3
    assert model.count([text, ""]) == [model.length(text), 0]
