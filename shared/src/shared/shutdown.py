"""Beginning a drain with the signal: uvicorn runs the shutdown of the lifespan only when the last stream has
ended.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType


def on_shutdown_signal(begin: Callable[[], None]) -> Callable[[], None]:
    """Call `begin` in the running loop at SIGTERM and SIGINT, before what handles them now.

    Returns what puts the former handlers back. Outside the main thread, which alone gets signals, nothing is
    changed.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    former = {
        number: handler
        for number in (signal.SIGTERM, signal.SIGINT)
        if callable(handler := signal.getsignal(number))
    }

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)
        former[signal.Signals(number)](number, frame)

    for number in former:
        signal.signal(number, handle)

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    return restore
