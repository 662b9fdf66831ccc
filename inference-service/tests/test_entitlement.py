"""What billing and the gateway say of a running dispatch is heard: begin, refusals, and the end of somebody's
access.
"""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fake_provider import FakeProvider
from identities import make_principal
from inference_service.metering.meter import Bound
from shared.access import AccessEnd, EndReason
from shared.ids import uuid7
from suite.waiting import eventually


def ask(model: str = "fake-echo", text: str = "one two three", **members: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


async def post(running: Any, body: Any, **options: Any) -> httpx.Response:
    return await running.client.post("/v1/chat/completions", json=body, **options)


@pytest.mark.parametrize("status", [400, 401, 409, 413, 422])
async def test_a_settlement_that_billing_refuses_ends_and_raises_an_alarm(
    running: Any, billing: Any, status: int
) -> None:
    billing.refusing["settle"] = status
    await post(running, ask())

    async def given_up() -> bool:
        return await running.app.state.settlements.waiting() == 0 and billing.settle_calls == 2

    await eventually(given_up)
    pool = running.app.state.settlements._pool
    assert await pool.fetchval("SELECT refused FROM pending_settlement") == "scripted refusal"
    assert "atrium_settlements_refused_total 1.0" in running.app.state.metrics.render().decode()


@pytest.mark.parametrize("status", [409, 422])
async def test_a_reservation_that_billing_cannot_read_is_no_outage(
    running: Any, billing: Any, provider: FakeProvider, status: int
) -> None:
    billing.refusing["reservations"] = status
    response = await post(running, ask())
    assert (response.status_code, response.json()["error"]["code"]) == (502, "billing_refused")
    assert provider.dispatches == 0


async def test_a_hold_says_that_it_has_begun_before_the_answer_does(running: Any, billing: Any) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await post(running, ask("fake-hang", stream=True), timeout=0.5)
    (hold,) = billing.holds
    assert hold in billing.checkpoints[0]
    assert billing.checkpoints[0][hold] == 0


async def test_a_reservation_tells_the_role(running: Any, billing: Any) -> None:
    await post(running, ask())
    (hold,) = billing.holds.values()
    assert hold["principal"]["role"] == "user"


async def test_who_loses_access_has_streams_ended_and_settled(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    person, other = make_principal(), make_principal(key_id=uuid7())
    body = ask("fake-slow", "!tokens=2000 !delay_ms=10", stream=True)

    async def read(principal: Any) -> str:
        async with running.client.stream(
            "POST", "/v1/chat/completions", json=body, headers=running.keys.user_headers(principal)
        ) as response:
            return "".join([part async for part in response.aiter_text()])

    reading = [asyncio.ensure_future(read(each)) for each in (person, other)]
    await eventually(lambda: provider.running == 2)
    await asyncio.wait_for(running.app.state.access.listening.wait(), 20)
    pool = running.app.state.settlements._pool
    for topic, payload in (
        ("account.suspended", {"user_id": str(person.user_id)}),
        ("key.revoked", {"key_id": str(other.key_id)}),
    ):
        message = json.dumps({"id": str(uuid7()), "topic": topic, "payload": payload})
        await pool.execute("SELECT pg_notify('atrium_access', $1)", message)
    async with asyncio.timeout(20):
        suspended, revoked = await asyncio.gather(*reading)
    assert "account_suspended" in suspended
    assert "key_revoked" in revoked
    await eventually(lambda: len(billing.settled) == 2)
    assert {settled["outcome"] for settled in billing.settled.values()} == {"stopped"}
    await eventually(lambda: provider.cancelled == 2)


async def test_access_that_is_lost_while_reserving_dispatches_nothing(
    running: Any, billing: Any, provider: FakeProvider
) -> None:
    completions = running.app.state.completions
    person = make_principal()
    reserve = completions.meter.reserve

    async def reserve_and_lose(*args: Any, **options: Any) -> Any:
        dispatch = await reserve(*args, **options)
        await completions.end_access(AccessEnd(EndReason.ACCOUNT_SUSPENDED, user_id=person.user_id))
        return dispatch

    completions.meter.reserve = reserve_and_lose
    response = await post(running, ask(), headers=running.keys.user_headers(person))
    assert (response.status_code, response.json()["error"]["code"]) == (403, "account_suspended")
    assert provider.dispatches == 0
    assert len(billing.released) == 1


async def test_completions_that_come_together_share_calls_to_billing(running: Any, billing: Any) -> None:
    answers = await asyncio.gather(*(post(running, ask()) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(billing.settled) == 12
    assert billing.calls < 24


async def test_a_billing_of_the_version_before_batches_is_asked_one_by_one(
    running: Any, billing: Any
) -> None:
    billing.batches = False
    answers = await asyncio.gather(*(post(running, ask()) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {200}
    assert (len(billing.holds), len(billing.settled), billing.open_holds) == (3, 3, set())


async def test_a_reserve_that_was_overtaken_by_its_release_is_released_all_the_same(
    running: Any, billing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch of the reserve still waits for its connection when whoever asked leaves."""
    meter = running.app.state.completions.meter
    pool, gate = meter._billing._calls._pool, asyncio.Event()
    acquire, asked = pool.acquire, asyncio.Event()

    async def late(*args: Any, **options: Any) -> Any:
        if not asked.is_set():
            asked.set()
            await gate.wait()
        return await acquire(*args, **options)

    monkeypatch.setattr(pool, "kept", lambda _origin: None)
    monkeypatch.setattr(pool, "acquire", late)
    bound = Bound("fake-echo", "fake", "chat", 10, 10, 1)
    reserving = asyncio.ensure_future(meter.reserve(make_principal(), bound))
    await asked.wait()
    reserving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reserving
    assert not billing.holds
    gate.set()
    await eventually(lambda: len(billing.holds) == 1)
    await eventually(lambda: not billing.open_holds)
