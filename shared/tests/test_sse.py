"""Events survive any split of the bytes, any line end, and nothing grows without bound."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.sse import SseEvent, SseParser, SseTooLarge, comment, encode

STREAM_PIECES = st.lists(
    st.sampled_from(
        [
            b"data: a",
            b"data:b",
            b"data",
            b"event: x",
            b"id: 7",
            b"id: a\0b",
            b": note",
            b"retry: 5",
            b"\r\n",
            b"\n",
            b"\r",
            b"\xef\xbb\xbf",
            b"\xc3\xa9",
        ]
    ),
    max_size=30,
).map(b"".join)


def parse(*pieces: bytes) -> list[SseEvent]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def cut(data: bytes, edges: list[int]) -> list[bytes]:
    places = [0, *sorted(edge % (len(data) + 1) for edge in edges), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(data=STREAM_PIECES, edges=st.lists(st.integers(0, 400), max_size=10))
def test_any_split_gives_the_same_events(data: bytes, edges: list[int]) -> None:
    whole = parse(data)
    assert parse(*cut(data, edges)) == whole
    assert parse(*(data[index : index + 1] for index in range(len(data)))) == whole


@given(
    events=st.lists(
        st.tuples(
            st.none() | st.sampled_from(["delta", "done"]), st.text(max_size=30), st.none() | st.integers(0)
        ),
        max_size=5,
    )
)
def test_what_is_encoded_is_read_back(events: list[tuple[str | None, str, int | None]]) -> None:
    read = parse(b"".join(encode(name, text, number) for name, text, number in events))
    assert [(event.event, event.data.decode()) for event in read] == [
        (name or "message", text.replace("\r\n", "\n").replace("\r", "\n")) for name, text, _ in events
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_of_the_standard(end: bytes) -> None:
    stream = end.join([b"event: delta", b"id: 3", b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert parse(stream) == [SseEvent("delta", b"a\nb", "3"), SseEvent("message", b"c", "3")]


def test_one_leading_bom_is_ignored() -> None:
    assert parse(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == [SseEvent("message", b"a", None)]


def test_comments_and_events_without_data_are_silent() -> None:
    assert parse(comment() + b"event: x\n\n") == []


def test_an_unfinished_event_is_not_given() -> None:
    assert parse(b"data: a\n") == []


def test_json_is_written_in_one_line() -> None:
    assert encode("usage", {"text": "a\nb"}, 4) == b'id: 4\nevent: usage\ndata: {"text":"a\\nb"}\n\n'


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\0"])
def test_a_name_that_would_start_another_field_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        encode(name, b"x")


@pytest.mark.parametrize("piece", [b"x" * 60, b"data: x\n" * 10])
def test_an_event_over_the_bound_is_refused(piece: bytes) -> None:
    parser = SseParser(event_size_max=100)
    with pytest.raises(SseTooLarge):
        for _ in range(20):
            parser.feed(piece)
