"""A service that is away for seconds is waited for while nothing was dispatched; nothing is
dispatched twice.
"""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _away(play: Any, code: str) -> Any:
    return play.refuses(503, {"error": {"message": "down", "code": code}}, {"retry-after": "1"})


@pytest.mark.parametrize("code", ["billing_unavailable", "inference_unavailable", "database_down"])
async def test_a_refusal_before_dispatch_is_tried_again(start: Any, suite: Any, play: Any, code: str) -> None:
    user = (await start(provider_connect_wait_max_s=15)).user()
    suite.plans += [_away(play, code)] * 3
    events = await user.say(await user.new_chat())
    assert [event.event for event in events[:2]] == ["message", "waiting"]
    assert events[1].data == {"reason": "service_away", "progress": None}
    assert [event.event for event in events].count("waiting") == 1
    assert (play.text_of(events), events[-1].data["status"]) == ("Hello there!", "complete")
    assert (len(suite.requests), len(suite.dispatch_ids)) == (4, 1)


async def test_a_service_that_stays_away_fails_the_reply_in_time(start: Any, suite: Any, play: Any) -> None:
    user = (await start(provider_connect_wait_max_s=1)).user()
    suite.default = _away(play, "billing_unavailable")
    events = await user.say(await user.new_chat())
    assert (events[-2].data["status"], events[-1].data["status"]) == (503, "failed")
    assert suite.dispatch_ids == []


async def test_what_was_dispatched_is_not_sent_again(start: Any, suite: Any, play: Any) -> None:
    user = (await start(provider_connect_wait_max_s=15)).user()
    suite.plans.append(play.breaks_after("half"))
    events = await user.say(await user.new_chat())
    assert (events[-2].data["code"], events[-1].data["status"], len(suite.requests)) == (
        "model_disconnected",
        "interrupted",
        1,
    )


async def test_a_database_that_is_away_when_the_history_is_read_is_waited_for(
    start: Any, suite: Any, play: Any
) -> None:
    service = await start(provider_connect_wait_max_s=15)
    user = service.user()
    histories = service.app.state.runner._writers.plain._histories
    read, failures = histories.read, [ConnectionRefusedError("database away")] * 2

    async def read_when_back(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(*arguments)

    histories.read = read_when_back
    events = await user.say(await user.new_chat())
    assert [event.event for event in events[:2]] == ["message", "waiting"]
    assert (play.text_of(events), events[-1].data["status"]) == ("Hello there!", "complete")
