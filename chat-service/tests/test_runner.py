"""Ending a running turn from outside."""

import asyncio
from typing import Any, cast
from uuid import uuid4

from chat_service.streams.live import LiveReply
from chat_service.turns.specs import Running


async def test_a_turn_that_is_ended_twice_ends_once_for_the_first_reason() -> None:
    live = LiveReply(turn_id=uuid4(), message_id=uuid4(), first_id=1, base_text="")
    running = Running(spec=cast("Any", None), live=live)
    ended = 0
    try:
        async with asyncio.timeout(10) as running.scope:
            asyncio.get_running_loop().call_later(0.01, running.end, "stopped")
            asyncio.get_running_loop().call_later(0.011, running.end, "interrupted")
            await asyncio.sleep(5)
    except TimeoutError:
        ended += 1
    running.end("lost")
    assert (ended, running.cut) == (1, "stopped")
