"""What becomes of a completion when billing refuses it or is away, and of what it could not take."""

from typing import Any

import pytest
from completion_calls import ask, events_of, post
from fake_provider import FakeProvider
from suite.waiting import eventually


@pytest.mark.parametrize(
    ("status", "code", "extra"),
    [
        (402, "insufficient_credits", {"remaining_nano": 5}),
        (
            402,
            "price_unknown",
            {"action": {"label": "set a price", "method": "PUT", "path": "/api/v1/billing/prices"}},
        ),
        (403, "model_not_allowed", {}),
        (429, "budget_exceeded", {"limit_nano": 7, "resets_at": "2026-12-01T00:00:00Z"}),
    ],
)
async def test_a_refusal_of_billing_reaches_the_client_whole(
    running: Any, billing: Any, provider: FakeProvider, status: int, code: str, extra: dict[str, Any]
) -> None:
    billing.refusal = (
        status,
        {"code": code, "detail": "because", "status": status, "title": "t", "type": "x", **extra},
    )
    response = await post(running, ask(stream=True))
    error = response.json()["error"]
    assert response.status_code == status
    assert (error["code"], error["message"]) == (code, "because")
    assert extra.items() <= error.items()
    assert response.headers.get("x-should-retry") == ("false" if status in {402, 429} else None)
    assert provider.dispatches == 0


async def test_billing_away_refuses_and_never_dispatches(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    billing.failing.add("reservations")
    response = await post(running, ask())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "billing_unavailable")
    assert response.headers["retry-after"]
    assert provider.dispatches == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_settlement_billing_cannot_take_is_durable_before_the_reply_ends_and_delivered_later(
    running: Any, billing: Any, stream: bool
) -> None:
    billing.failing |= {"settle"}
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    response = await post(running, ask(**options))
    assert response.status_code == 200
    assert await running.app.state.settlements.waiting() == 1
    assert not billing.settled
    if stream:
        usage = events_of(response)[-2]["usage"]
        assert (usage["cost_nano"], usage["remaining_nano"]) == (None, None)
    else:
        assert "x-atrium-cost-nano" not in response.headers
    billing.failing.clear()
    await eventually(lambda: billing.settled)

    async def empty() -> bool:
        return await running.app.state.settlements.waiting() == 0

    await eventually(empty)
    assert billing.only_settlement()["usage"]["output_tokens"] == 3


async def test_a_release_billing_cannot_take_is_delivered_later(running: Any, billing: Any) -> None:
    billing.failing |= {"release"}
    await post(running, ask("fake-500"))
    assert len(billing.open_holds) == 1
    billing.failing.clear()
    await eventually(lambda: not billing.open_holds)
    assert len(billing.released) == 1


async def test_a_settlement_billing_will_never_take_is_kept_and_not_repeated(
    running: Any, billing: Any
) -> None:
    billing.failing |= {"settle"}
    await post(running, ask())
    billing.holds.clear()
    billing.failing.clear()
    await eventually(lambda: billing.settle_calls == 1)

    async def refused() -> bool:
        return await running.app.state.settlements.waiting() == 0

    await eventually(refused)
