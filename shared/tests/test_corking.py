"""What is written within one turn of the event loop leaves together, in order of each transport, and before a
close.
"""

import asyncio

import pytest
from shared.corking import HELD_BYTES_MAX, Cork, CorkedTransport


class Recorder(asyncio.Transport):
    """Notes what reaches it."""

    def __init__(self, log: list[tuple[str, bytes]], name: str) -> None:
        super().__init__()
        self._log, self._name, self._closing = log, name, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._log.append((self._name, bytes(data)))

    def close(self) -> None:
        self._closing = True

    def is_closing(self) -> bool:
        return self._closing


async def test_writes_leave_once_the_events_at_hand_are_done_and_in_order() -> None:
    log: list[tuple[str, bytes]] = []
    cork, one, other = Cork(), Recorder(log, "one"), Recorder(log, "other")
    loop = asyncio.get_running_loop()
    seen_by_the_second: list[int] = []

    def second() -> None:
        seen_by_the_second.append(len(log))
        cork.write(other, b"b")

    loop.call_soon(cork.write, one, b"a")
    loop.call_soon(second)
    loop.call_soon(cork.write, one, b"c")
    for _ in range(3):
        await asyncio.sleep(0)
    assert seen_by_the_second == [0]
    assert log == [("one", b"ac"), ("other", b"b")]


async def test_a_flush_writes_at_once_and_nothing_twice() -> None:
    log: list[tuple[str, bytes]] = []
    cork, transport = Cork(), Recorder(log, "one")
    cork.write(transport, b"a")
    cork.flush()
    assert log == [("one", b"a")]
    cork.write(transport, b"b")
    for _ in range(3):
        await asyncio.sleep(0)
    assert log == [("one", b"a"), ("one", b"b")]


async def test_nothing_is_written_to_a_transport_that_has_closed() -> None:
    log: list[tuple[str, bytes]] = []
    cork, closed, open_ = Cork(), Recorder(log, "closed"), Recorder(log, "open")
    cork.write(closed, b"a")
    cork.write(open_, b"b")
    closed.close()
    cork.flush()
    assert log == [("open", b"b")]


async def test_what_is_held_leaves_before_an_orderly_close() -> None:
    log: list[tuple[str, bytes]] = []
    transport = Recorder(log, "one")
    corked = CorkedTransport(transport, Cork())
    corked.write(b"a")
    corked.close()
    assert log == [("one", b"a")]
    assert transport.is_closing()


class Broken(Recorder):
    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("the handler is closed")

    def abort(self) -> None:
        self._log.append(("aborted", b""))


async def test_what_cannot_be_written_to_one_takes_nothing_from_the_others() -> None:
    log: list[tuple[str, bytes]] = []
    cork = Cork()
    cork.write(Broken(log, "broken"), b"a")
    cork.write(Recorder(log, "one"), b"b")
    cork.flush()
    assert log == [("aborted", b""), ("one", b"b")]


@pytest.mark.parametrize("pieces", [[HELD_BYTES_MAX + 1], [HELD_BYTES_MAX, 1]])
async def test_a_long_answer_is_not_gathered_in_memory(pieces: list[int]) -> None:
    """Written at once, it fills the socket, and the writer is told to pause."""
    log: list[tuple[str, bytes]] = []
    cork, transport = Cork(), Recorder(log, "one")
    for size in pieces:
        cork.write(transport, bytes(size))
    assert sum(len(data) for _, data in log) == sum(pieces)
