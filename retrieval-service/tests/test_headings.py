"""Headings of Markdown against a whole parser of it, on documents made of what is easily mistaken for one."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from retrieval_service.parsing.headings import headings

_LINES = [
    *(
        "# a",
        "## b ##",
        "   # h",
        "#",
        "    # no",
        "  # in",
        "a",
        "b c",
        "===",
        "====",
        "---",
        "  ---",
        "-",
        "+",
        "***",
        "",
    ),
    *(
        "- b",
        "* - w",
        "- # z",
        "-    code",
        "-     code",
        "-\t# t",
        "1. x",
        "2) y",
        "2. z",
        "10. ten",
        "  c",
        "    d",
        "\tq",
        "c\td",
    ),
    *("> e", ">", "   > k", "> - l", "> ---", "> # q", "> ```", "```", "~~~", "- ```", "  ```"),
    *("<div>", "<b>", "<!-- x", "-->", "a | b", "--- | ---"),
]


def parsed(text: str) -> list[tuple[int, str, int]]:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return [
        (int(opening.tag[1:]), " ".join(inline.content.split()), opening.map[0])
        for opening, inline in pairwise(parser.parse(text))
        if opening.type == "heading_open" and opening.level == 0 and opening.map is not None
    ]


def scanned(text: str) -> list[tuple[int, str, int]]:
    return [(found.level, " ".join(found.title.split()), found.line) for found in headings(text.split("\n"))]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_LINES), max_size=10))
def test_the_headings_are_those_of_a_whole_parser(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert scanned(text) == parsed(text)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["  " * (number % 400) + "- x" for number in range(10_000)], id="deep"),
        pytest.param(["- " * 40 + f"e{number}" for number in range(25_000)], id="many markers"),
        pytest.param([">" * 40 + f"e{number}" for number in range(50_000)], id="quotes"),
        pytest.param(["> " * 500_000 + "x", "- " * 500_000 + "x"], id="one line of markers"),
        pytest.param(["# " + " " * 500_000 + "x", "", "# a" + " #" * 500_000], id="one line of blanks"),
        pytest.param(["a line of a paragraph"] * 100_000, id="one paragraph"),
        pytest.param(["a | b", "--- | ---", *["x | y"] * 200_000], id="table"),
    ],
)
def test_what_is_nested_costs_no_more_than_its_length(lines: list[str]) -> None:
    began_s = time.process_time()
    found = list(headings([*lines, "", "# After"]))
    assert found[-1].title == "After"
    assert time.process_time() - began_s < 10
