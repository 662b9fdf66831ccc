"""A turn sends as much of the branch as the model can read."""

from typing import Any

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID = "word " * 300  # 1,500 bytes, which count as 500 tokens


async def history_sent(user: Any, suite: Any, model: str, **options: Any) -> int:
    """Bytes of the messages of the last of a dozen turns."""
    chat = await user.new_chat()
    for _ in range(12):
        await user.say(chat, SAID, model=model, **options)
    return sum(len(message["content"].encode()) for message in suite.requests[-1]["messages"])


@pytest_asyncio.fixture(loop_scope="module")
async def reader(start: Any, suite: Any) -> Any:
    suite.contexts = {"small": 2048, "large": 100_000}
    return (await start(history_tokens_max=32_000)).user()


async def test_a_model_with_a_large_window_gets_the_whole_branch(reader: Any, suite: Any) -> None:
    assert await history_sent(reader, suite, "large") > 12 * 1500


async def test_a_model_with_a_small_window_gets_what_leaves_room_for_its_answer(
    reader: Any, suite: Any
) -> None:
    assert await history_sent(reader, suite, "small") <= 3 * 2048 * 3 // 4
    assert await history_sent(reader, suite, "small", max_tokens=1024) <= 3 * 1024


async def test_an_unknown_model_counts_as_a_large_one(reader: Any, suite: Any) -> None:
    assert await history_sent(reader, suite, "nobody-knows") > 12 * 1500


async def test_the_setting_bounds_every_model(start: Any, suite: Any) -> None:
    suite.contexts = {"large": 100_000}
    user = (await start(history_tokens_max=1000)).user()
    assert await history_sent(user, suite, "large") <= 3 * 1000
