"""A drain begins with the signal, and what handled the signal before still does."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from shared.shutdown import on_shutdown_signal


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that the handlers before ours got."""
    numbers: list[int] = []
    former = {
        number: signal.signal(number, lambda number, _: numbers.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    yield numbers
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_begins_the_drain_in_the_loop_and_goes_on_to_its_former_handler(
    heard: list[int], number: int
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    restore = on_shutdown_signal(lambda: loops.append(asyncio.get_running_loop()))
    os.kill(os.getpid(), number)
    await asyncio.sleep(0.05)
    assert (loops, heard) == ([asyncio.get_running_loop()], [number])
    restore()
    os.kill(os.getpid(), number)
    await asyncio.sleep(0.05)
    assert (len(loops), heard) == (1, [number, number])


async def test_a_signal_that_is_ignored_stays_ignored(heard: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun: list[bool] = []
    restore = on_shutdown_signal(lambda: begun.append(True))
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.05)
    assert (begun, heard) == ([], [])
    restore()


async def test_outside_the_main_thread_nothing_is_changed(heard: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    restore = await asyncio.to_thread(on_shutdown_signal, lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before
    restore()
    assert signal.getsignal(signal.SIGTERM) is before
    assert heard == []
