"""The built-in tools: exact sums, dates in any zone, numbered passages, and refusals that tell the model what
to do.
"""

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, cast
from uuid import UUID

import pytest
from agent_service.tools.arithmetic import Uncomputable, evaluate, write_number
from agent_service.tools.calculator import Calculator
from agent_service.tools.clock import DateTime, describe
from agent_service.tools.documents import SearchDocuments
from agent_service.tools.port import ToolContext, ToolResult
from hypothesis import given, settings
from hypothesis import strategies as st
from identities import make_principal
from shared.auth.principal import Principal
from shared.clients.retrieval import RetrievalClient
from shared.clock import utc_now
from shared.contracts.retrieval import Passage, SearchRequest, SearchResponse
from shared.errors import Unavailable
from shared.ids import uuid7

CONTEXT = ToolContext(principal=make_principal(), run_id=uuid7())


async def run(tool: Any, context: ToolContext = CONTEXT, **arguments: Any) -> ToolResult:
    return await tool.call(context, cast("Mapping[str, Any]", arguments))


SUMS = [
    ("37 * 91", "3367"),
    ("37 x 91", "3367"),
    ("37×91", "3367"),
    ("37X91", "3367"),
    ("84 ÷ 2", "42"),
    ("2^10", "1024"),
    ("2 ** 0.5", "1.4142135623731"),
    ("1,000,000 + 1", "1000001"),
    ("1 000 000 / 4", "250000"),
    ("15% of 80", "12"),
    ("80 * 15%", "12"),
    ("10 % 3", "1"),
    ("-7 // 2", "-4"),
    ("0.1 + 0.2", "0.3"),
    ("7/2", "3.5"),
    ("(1+2)*(3+4) =", "21"),
    ("sqrt(144)", "12"),
    ("sqrt(1/4)", "0.5"),
    ("log10(1000)", "3"),
    ("log(8, 2)", "3"),
    ("ln(e)", "1"),
    ("sin(pi/2)", "1"),
    ("max(1,234)", "234"),
    ("min(5)", "5"),
    ("round(2.675, 2)", "2.68"),
    ("round(-2.5)", "-3"),
    ("abs(-4)", "4"),
    ("factorial(20)", "2432902008176640000"),
    ("gcd(12, 18)", "6"),
    ("0x10", "16"),
    ("2**100", "1267650600228229401496703205376"),
    ("0.1 * 3 - 0.3", "0"),
    ("2 × π", "6.28318530717959"),
    ("5² + 3", "28"),
    ("−5 + 3", "-2"),
    ("1e3 + 1", "1001"),
    ("(-1)**100001", "-1"),
]


@pytest.mark.parametrize(("written", "value"), SUMS, ids=[written for written, _ in SUMS])
async def test_what_people_write_is_worked_out(written: str, value: str) -> None:
    assert (await run(Calculator(), expression=written)).text == f"{written} = {value}"


REFUSED = [
    ("9**9**9", "power is too large"),
    ("9^9^9", "power is too large"),
    ("10**1000*10**6000", "too large"),
    ("1/0", "divides by zero"),
    ("5 % 0", "divides by zero"),
    ("0**-1", "divides by zero"),
    ("sqrt(-1)", "not defined"),
    ("log(0)", "above 0"),
    ("acos(2)", "not defined"),
    ("factorial(10**6)", "from 0 to 1000"),
    ("(-8)**0.5", "not defined"),
    ("exp(10000)", "too large"),
    ("200 + 10%", "two ways"),
    ("x + 1", "not known"),
    ("2 +", "not an arithmetic"),
    ("", "not an arithmetic"),
    ("[1]*10**9", "only numbers"),
    ("'a'*9", "only numbers"),
    ("True + 1", "only numbers"),
    ("1 if 1 else 2", "only numbers"),
    ("1 < 2", "only numbers"),
    ("open('/etc/passwd')", "not known"),
    ("__import__('os').system('id')", "not known"),
    ("(1).__class__", "only numbers"),
    ("lambda: 1", "only numbers"),
    ("max(*[1,2])", "plain numbers"),
    ("round(1, ndigits=2)", "plain numbers"),
    ("sqrt(1, 2)", "takes 1 numbers"),
    ("1j * 1j", "only numbers"),
    ("2**-20000", "too close to 0"),
    ("(" * 240 + "1" + ")" * 240, "not an arithmetic"),
    ("1+" * 300 + "1", "longer than"),
    ("-" * 400 + "1", "nested deeper"),
    ("a := 1", "not an arithmetic"),
    ("1e999", "too large"),
]


@pytest.mark.parametrize(
    ("written", "says"), REFUSED, ids=[written[:30] or "empty" for written, _ in REFUSED]
)
async def test_what_has_no_value_is_refused_with_the_reason(written: str, says: str) -> None:
    began = time.process_time()
    result = await run(Calculator(), expression=written)
    assert result.failed
    assert says in result.text
    assert time.process_time() - began < 0.5


def _trees() -> st.SearchStrategy[str]:
    numbers = st.integers(0, 10**9).map(str)
    return st.recursive(
        numbers,
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%", "/"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        max_leaves=12,
    )


@settings(max_examples=60, deadline=None)
@given(_trees())
def test_whole_numbers_and_fractions_are_exact(expression: str) -> None:
    """Every number becomes a Fraction, so that Python's own operators are the yardstick."""
    exact = "".join(f"Fraction({part})" if part.isdigit() else part for part in _split(expression))
    try:
        expected = Fraction(eval(exact, {"Fraction": Fraction}))  # noqa: S307 - digits and operators that the line above wrote
    except ZeroDivisionError:
        with pytest.raises(Uncomputable):
            evaluate(expression)
        return
    found = evaluate(expression)
    assert found == (
        expected.numerator if expected.denominator == 1 else expected.numerator / expected.denominator
    )
    assert isinstance(found, int) == (expected.denominator == 1)


def _split(expression: str) -> list[str]:
    parts, digits = list[str](), ""
    for character in expression:
        if character.isdigit():
            digits += character
            continue
        parts += [digits, character] if digits else [character]
        digits = ""
    return [*parts, digits] if digits else parts


@settings(max_examples=60, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(0, 40))
def test_powers_of_whole_numbers_are_exact(base: int, exponent: int) -> None:
    assert evaluate(f"({base})**{exponent}") == base**exponent


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_no_text_brings_the_calculator_down(expression: str) -> None:
    try:
        value = evaluate(expression)
    except Uncomputable:
        return
    assert math.isfinite(value)
    assert len(write_number(value)) < 500


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**5000))
def test_numbers_of_any_length_can_be_written(value: int) -> None:
    text = write_number(value)
    assert text == str(value) if value < 10**300 else len(text) < 420


def test_a_number_of_thousands_of_digits_is_written_shortly() -> None:
    assert write_number(12345678 * 10**5000) == "about 1.23456780000000e+5007"
    assert write_number(-(10**4500)) == "about -1.00000000000000e+4500"


async def test_the_date_is_told_in_a_zone() -> None:
    text = (await run(DateTime(), timezone="Asia/Tokyo")).text
    now = utc_now() + timedelta(hours=9)
    assert text.startswith(f"{now:%A}, {now.day} {now:%B} {now.year}, ")
    assert "(Asia/Tokyo, UTC+09:00)" in text


def test_a_moment_is_described_in_words_and_iso() -> None:
    assert describe(datetime(2026, 11, 22, 14, 5, 9, tzinfo=UTC), "UTC") == (
        "Sunday, 22 November 2026, 14:05:09 (UTC, UTC+00:00); ISO 2026-11-22T14:05:09+00:00, week 47"
    )


@pytest.mark.parametrize(
    "zone",
    ["", "utc", "europe/berlin", "America/New York", "GMT"],
    ids=["none", "utc", "lower", "space", "gmt"],
)
async def test_zones_are_found_however_they_are_written(zone: str) -> None:
    assert not (await run(DateTime(), timezone=zone)).failed


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        ("Berlin", "Did you mean Europe/Berlin?"),
        ("Mars/Olympus", "Use an IANA name"),
        ("../../etc/passwd", "Use an IANA name"),
    ],
    ids=["city", "unknown", "path"],
)
async def test_an_unknown_zone_is_refused_with_a_way_on(zone: str, says: str) -> None:
    result = await run(DateTime(), timezone=zone)
    assert result.failed
    assert says in result.text


@pytest.mark.parametrize(
    ("offset", "added"),
    [
        ("3 days", timedelta(days=3)),
        ("-2 hours", timedelta(hours=-2)),
        ("+1 week", timedelta(weeks=1)),
        ("90minutes", timedelta(minutes=90)),
    ],
    ids=["days", "back", "plus", "close"],
)
async def test_an_offset_is_added(offset: str, added: timedelta) -> None:
    text = (await run(DateTime(), offset=offset)).text
    told = datetime.fromisoformat(text.partition("ISO ")[2].partition(",")[0])
    assert abs(told - utc_now() - added) < timedelta(seconds=3)


@pytest.mark.parametrize("offset", ["soon", "3", "999999 weeks", "1 fortnight"])
async def test_an_offset_that_leads_nowhere_is_refused(offset: str) -> None:
    assert (await run(DateTime(), offset=offset)).failed


class Library:
    """A retrieval-service that holds what it is given."""

    def __init__(self, *texts: str) -> None:
        self.passages = [
            Passage(
                chunk_id=uuid7(),
                text=text,
                score=1 / n,
                file_id=uuid7(),
                filename=f"file{n}.pdf",
                page=n,
                heading=None,
                start=0,
                end=9,
            )
            for n, text in enumerate(texts, 1)
        ]
        self.asked: list[tuple[Principal, SearchRequest]] = []
        self.down = False

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResponse:
        if self.down:
            raise Unavailable("the retrieval-service does not answer")
        self.asked.append((principal, request))
        return SearchResponse(data=self.passages)

    def tool(self, chars_max: int = 6_000) -> SearchDocuments:
        return SearchDocuments(cast("RetrievalClient", self), result_chars_max=chars_max, rerank=True)


async def test_passages_are_numbered_on_from_the_runs_last_citation() -> None:
    library = Library("The key is under the mat.", "The door is red.")
    bases, files = (uuid7(),), (uuid7(), uuid7())
    context = ToolContext(
        principal=CONTEXT.principal,
        run_id=uuid7(),
        knowledge_base_ids=bases,
        file_ids=files,
        citations_from=4,
    )
    result = await run(library.tool(), context, query="key")
    assert (
        result.text
        == "[4] file1.pdf, page 1: The key is under the mat.\n\n[5] file2.pdf, page 2: The door is red."
    )
    assert [(citation.n, citation.file_id) for citation in result.citations] == [
        (4, library.passages[0].file_id),
        (5, library.passages[1].file_id),
    ]
    principal, request = library.asked[0]
    assert principal == CONTEXT.principal
    assert (request.knowledge_base_ids, request.file_ids, request.k, request.mode, request.rerank) == (
        list(bases),
        list(files),
        5,
        "hybrid",
        True,
    )


async def test_without_a_selection_all_own_files_are_searched() -> None:
    library = Library("text")
    await run(library.tool(), query="key")
    assert library.asked[0][1].file_ids == list[UUID]()


async def test_passages_are_cut_at_what_a_small_model_can_read() -> None:
    result = await run(Library(*["word " * 300] * 5).tool(chars_max=2_000), query="word")
    assert len(result.citations) == 2
    assert 1_900 < sum(len(citation.text) for citation in result.citations) <= 2_004
    assert result.text.endswith("...")


async def test_nothing_found_is_said_in_words() -> None:
    result = await run(Library().tool(), query="key")
    assert (result.failed, result.citations) == (False, ())
    assert "No passage" in result.text


async def test_a_search_that_fails_is_a_failed_result() -> None:
    library = Library("text")
    library.down = True
    result = await run(library.tool(), query="key")
    assert result.failed
    assert "does not answer" in result.text
