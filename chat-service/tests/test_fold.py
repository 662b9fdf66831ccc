"""What a reply holds after its events, however they come."""

from itertools import pairwise
from typing import Any

from chat_service.streams.fold import Folded, fold
from chat_service.streams.live import Event, data_event, text_event
from hypothesis import given, settings
from hypothesis import strategies as st

NUMBERS = st.integers(min_value=1, max_value=3)
TEXT = st.text(alphabet="ab ", max_size=4)


def _step(number: int, attempt: int) -> tuple[str, Any]:
    return "step", {"step": number, "attempt": attempt, "kind": "model", "title": "t"}


def _call(number: int, call_id: str, status: str) -> tuple[str, Any]:
    return "tool", {"step": number, "call_id": call_id, "name": "n", "title": "t", "status": status}


DRAWN = st.lists(
    st.one_of(
        st.tuples(st.just("delta"), TEXT),
        st.tuples(st.just("reasoning"), TEXT),
        st.builds(_step, NUMBERS, NUMBERS),
        st.builds(_call, NUMBERS, st.sampled_from(["x", "y"]), st.sampled_from(["running", "done"])),
        st.builds(lambda n, text: ("citation", {"n": n, "text": text}), NUMBERS, TEXT),
        st.just(("usage", {"cost_nano": 1})),
    ),
    max_size=30,
)


def _events(drawn: list[tuple[str, Any]]) -> list[Event]:
    return [
        text_event(index, kind, data) if isinstance(data, str) else data_event(index, kind, data)  # type: ignore[arg-type]
        for index, (kind, data) in enumerate(drawn, 1)
    ]


def _folded(*drawn: tuple[str, Any]) -> Folded:
    return fold(_events(list(drawn)))


@settings(max_examples=100, deadline=None)
@given(DRAWN, st.lists(st.integers(min_value=0, max_value=30), max_size=3))
def test_folding_at_once_is_folding_any_pieces_one_after_the_other(
    drawn: list[tuple[str, Any]], cuts: list[int]
) -> None:
    events = _events(drawn)
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    piecewise = Folded()
    for begin, end in pairwise(bounds):
        piecewise = fold(events[begin:end], piecewise)
    assert piecewise == fold(events)


@settings(max_examples=100, deadline=None)
@given(DRAWN, DRAWN, DRAWN)
def test_a_step_that_ran_again_leaves_what_one_that_was_not_cut_leaves(
    before: list[tuple[str, Any]], cut: list[tuple[str, Any]], after: list[tuple[str, Any]]
) -> None:
    lost = [event for event in cut if event[0] in {"delta", "reasoning"}]
    calls = [_call(9, f"cut-{n}", "running") for n, _ in enumerate(cut)]
    whole = fold(_events([*before, _step(9, 2), *after]))
    again = fold(_events([*before, _step(9, 1), *lost, *calls, _step(9, 2), *after]))
    assert (again.text, again.steps, again.citations) == (whole.text, whole.steps, whole.citations)


def test_a_call_is_kept_as_it_ended_where_it_began() -> None:
    folded = _folded(_call(1, "x", "running"), _call(2, "y", "running"), _call(1, "x", "done"))
    assert [(call["call_id"], call["status"]) for call in folded.steps] == [("x", "done"), ("y", "running")]


def test_calls_of_two_steps_are_two_although_the_model_gave_them_one_id() -> None:
    folded = _folded(_call(1, "x", "done"), _call(2, "x", "running"), _call(2, "x", "done"))
    assert [(call["step"], call["status"]) for call in folded.steps] == [(1, "done"), (2, "done")]


def test_text_of_other_steps_stays_when_a_later_one_runs_again() -> None:
    first, cut, again = ("delta", "first "), ("delta", "cut"), ("delta", "again")
    assert (
        _folded(_step(1, 1), first, _step(2, 1), cut, _step(2, 2), cut, _step(2, 3), again).text
        == "first again"
    )


def test_a_higher_attempt_of_a_step_that_was_never_seen_voids_nothing() -> None:
    assert _folded(("delta", "kept"), _step(4, 2), ("delta", " too")).text == "kept too"


def test_citations_are_by_number_and_the_last_of_a_number_counts() -> None:
    folded = _folded(*(("citation", {"n": n, "text": text}) for n, text in ((2, "b"), (1, "a"), (2, "c"))))
    assert [(citation["n"], citation["text"]) for citation in folded.citations] == [(1, "a"), (2, "c")]
