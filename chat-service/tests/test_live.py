"""The live log and its journal rows, by themselves."""

from uuid import uuid4

import orjson
from chat_service.chats.titles import title_from
from chat_service.streams.cursor import events_after
from chat_service.streams.live import LiveReply, coalesced
from chat_service.writing.continuations import to_prompt, with_end_of_reply
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.replies.fitting import PromptLine, fit
from shared.sse import SseParser

TEXTS = st.text(
    alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=5
)
STEPS = st.lists(st.tuples(st.sampled_from(["delta", "reasoning", "waiting", "flush"]), TEXTS), max_size=40)


def _played(steps: list[tuple[str, str]]) -> tuple[LiveReply, list[object]]:
    live = LiveReply(turn_id=uuid4(), message_id=uuid4(), first_id=1, base_text="")
    live.emit("message", {})
    rows: list[object] = []
    for kind, text in steps:
        if kind == "flush":
            rows += live.take_unjournaled()
            live.note_journaled()
        elif kind == "waiting":
            live.emit("waiting", {"reason": text})
        else:
            live.emit_text(kind, text)  # type: ignore[arg-type]
    return live, rows + live.take_unjournaled()


def _shown(frames: bytes) -> list[tuple[str, str]]:
    """Kind and joined text of neighbouring events, as a reader shows them."""
    shown: list[tuple[str, str]] = []
    for event in SseParser().feed(frames):
        text = orjson.loads(event.data).get("text", "")
        if shown and shown[-1][0] == event.event and text:
            shown[-1] = (event.event, shown[-1][1] + text)
        else:
            shown.append((event.event, text))
    return shown


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(min_value=1, max_value=45))
def test_the_journal_replays_what_was_live_from_any_id(steps: list[tuple[str, str]], after: int) -> None:
    live, rows = _played(steps)
    after = min(after, live.last_id)
    index = live.index_after(after)
    assert index is not None
    from_memory = b"".join(event.frame for event in live.events[index:])
    from_journal = coalesced([event for row in rows for event in events_after(row, after)])  # type: ignore[arg-type]
    assert _shown(from_journal) == _shown(from_memory)
    assert _shown(coalesced(live.events[index:])) == _shown(from_memory)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_ids_are_contiguous_and_each_is_journaled_once(steps: list[tuple[str, str]]) -> None:
    live, rows = _played(steps)
    assert [event.id for event in live.events] == list(range(1, len(live.events) + 1))
    journaled = [number for row in rows for number in range(row.first_id, row.last_id + 1)]  # type: ignore[attr-defined]
    assert journaled == list(range(2, len(live.events) + 1))


def test_rows_of_a_failed_write_come_again_unchanged() -> None:
    live = LiveReply(turn_id=uuid4(), message_id=uuid4(), first_id=1, base_text="")
    live.emit_text("delta", "a")
    first = live.take_unjournaled()
    live.emit_text("delta", "b")
    assert live.take_unjournaled()[:1] == first
    live.note_journaled()
    assert live.take_unjournaled() == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=20)), min_size=1),
    st.integers(1, 60),
)
def test_history_is_the_newest_that_fits_and_starts_with_a_person(
    lines: list[tuple[str, str]], bytes_max: int
) -> None:
    branch = [PromptLine(role, content) for role, content in lines]  # type: ignore[arg-type]
    kept = fit(branch, bytes_max=bytes_max)
    assert kept == branch[len(branch) - len(kept) :]
    assert not kept or kept[0].role == "user"
    assert len(kept) <= 1 or sum(len(line.content.encode()) for line in kept) <= bytes_max


def test_neighbours_of_one_role_are_joined_and_empty_replies_left_out() -> None:
    lines = [
        PromptLine("user", "a"),
        PromptLine("assistant", ""),
        PromptLine("user", "b"),
        PromptLine("assistant", "c"),
    ]
    assert to_prompt(lines, continues=False) == [
        {"role": "user", "content": "a\n\nb"},
        {"role": "assistant", "content": "c"},
    ]


def test_titles_are_cut_between_words() -> None:
    assert title_from("  \n### Hello   world ###\nrest") == "Hello world"
    assert title_from("   ") is None
    long = title_from("word " * 40)
    assert long is not None
    assert len(long) <= 61
    assert long.endswith("word…")


@given(st.integers(min_value=2, max_value=400), TEXTS, TEXTS, st.integers(min_value=1, max_value=60))
def test_a_reply_to_continue_is_always_sent_with_its_question(
    bytes_max: int, asked: str, said: str, times: int
) -> None:
    lines = [
        PromptLine("user", "before"),
        PromptLine("assistant", "then"),
        PromptLine("user", asked * times),
        PromptLine("assistant", said * times),
    ]
    sent = fit(with_end_of_reply(lines, bytes_max=bytes_max), bytes_max=bytes_max)
    assert len(sent) >= 2
    assert (asked * times).startswith(sent[-2].content)
    assert (said * times).endswith(sent[-1].content)
    assert sum(len(line.content.encode()) for line in sent) <= bytes_max
