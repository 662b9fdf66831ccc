"""Work beside a block."""

import asyncio

import pytest
from shared.background import beside


async def test_work_beside_a_block_is_there_when_it_is_needed_and_ends_with_it() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def never() -> None:
        await asyncio.Event().wait()

    async with beside(answer(), "answer") as task:
        assert await task == 42
    with pytest.raises(ValueError, match="the block"):
        async with beside(never(), "never") as waiting:
            raise ValueError("the block")
    assert waiting.cancelled()
