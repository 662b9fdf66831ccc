"""The typed billing client against the real billing-service, in the words of shared.contracts.billing."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from identities import make_principal
from shared.auth.permissions import Role
from shared.auth.principal import Principal
from shared.clients.billing import BillingClient, BillingRefused, BillingUnavailable
from shared.clock import utc_now
from shared.contracts.billing import (
    Checkpoint,
    PrincipalChain,
    RecordedUsage,
    Release,
    Reservation,
    ReserveRequest,
    Settlement,
)
from shared.errors import AppError, NotFound, PaymentRequired, TooManyRequests
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from suite.people import Person
from suite.ports import free_port
from suite.stack import Stack

pytestmark = pytest.mark.e2e

QUICK = Timeouts(connect_s=2, first_byte_s=5, idle_s=5, write_s=5)


@pytest.fixture
async def billing(stack: Stack) -> AsyncIterator[BillingClient]:
    """As the inference-service builds it."""
    pool = UpstreamPool()
    yield BillingClient(
        pool, stack.service_tokens("inference-service"), base_url=stack.url("billing-service"), timeouts=QUICK
    )
    await pool.aclose()


@pytest.fixture
def payer() -> Principal:
    """Somebody of an organisation of their own, whose wallet is opened by the first reserve."""
    return make_principal(Role.USER, organisation_id=uuid7())


def request_for(payer: Principal, **changes: Any) -> dict[str, Any]:
    """A reserve of one dispatch, as the contract writes it."""
    assert payer.user_id is not None
    chain = PrincipalChain(
        user_id=payer.user_id, organisation_id=payer.organisation_id, team_id=payer.team_id
    )
    fields: dict[str, Any] = {
        "request_id": uuid7(),
        "principal": chain,
        "model": "fake-echo",
        "provider": "openai-1",
        "input_tokens_max": 100,
        "output_tokens_max": 50,
    }
    return ReserveRequest(**{**fields, **changes}).model_dump(mode="json")


def settlement(**tokens: int) -> dict[str, Any]:
    """The body of a settle."""
    return {
        "usage": tokens,
        "source": "provider",
        "outcome": "complete",
        "occurred_at": utc_now(),
        "latency_ms": 5,
    }


async def test_a_dispatch_is_held_renewed_settled_and_told(billing: BillingClient, payer: Principal) -> None:
    body = request_for(payer)
    request_id = UUID(body["request_id"])
    held = Reservation.model_validate(await billing.reserve(body))
    assert (held.request_id, held.granted_output_tokens, held.free) == (request_id, 50, False)
    assert held.amount_nano == 100 * 1000 + 50 * 3000
    stranger = uuid7()
    assert Checkpoint.model_validate(await billing.checkpoint({request_id: 7, stranger: 1})) == Checkpoint(
        renewed=[request_id], lost=[stranger]
    )
    assert RecordedUsage.model_validate(await billing.usage(request_id)).state == "held"
    settled = Settlement.model_validate(
        await billing.settle(request_id, settlement(input_tokens=10, output_tokens=5))
    )
    assert (settled.cost_nano, settled.house_loss_nano) == (10 * 1000 + 5 * 3000, 0)
    told = RecordedUsage.model_validate(await billing.usage(request_id))
    assert (told.state, told.cost_nano, told.input_tokens, told.output_tokens) == (
        "settled",
        settled.cost_nano,
        10,
        5,
    )


async def test_a_second_settle_returns_the_first_result(billing: BillingClient, payer: Principal) -> None:
    body = request_for(payer)
    request_id = UUID(body["request_id"])
    await billing.reserve(body)
    first = await billing.settle(request_id, settlement(output_tokens=5))
    again = await billing.settle(request_id, settlement(output_tokens=50))
    assert (again["cost_nano"], again["state"]) == (first["cost_nano"], "settled")


async def test_a_release_can_be_repeated_and_costs_nothing(billing: BillingClient, payer: Principal) -> None:
    body = request_for(payer)
    request_id = UUID(body["request_id"])
    await billing.reserve(body)
    for _ in range(2):
        assert (
            Release.model_validate(await billing.release(request_id, reason="not dispatched")).state
            == "released"
        )
    assert RecordedUsage.model_validate(await billing.usage(request_id)).cost_nano == 0


async def test_a_repeated_reserve_returns_the_same_hold_and_an_ended_one_is_refused(
    billing: BillingClient, payer: Principal
) -> None:
    body = request_for(payer)
    first, again = await billing.reserve(body), await billing.reserve(body)
    assert first["amount_nano"] == again["amount_nano"]
    await billing.settle(UUID(body["request_id"]), settlement(output_tokens=1))
    with pytest.raises(AppError) as refused:
        await billing.reserve(body)
    assert isinstance(refused.value, BillingRefused)


async def test_refusals_arrive_as_the_same_errors_with_their_way_out(
    billing: BillingClient, payer: Principal
) -> None:
    with pytest.raises(PaymentRequired) as unpriced:
        await billing.reserve(request_for(payer, model="never-heard-of"))
    assert unpriced.value.code == "price_unknown"
    assert unpriced.value.extra["action"]["kind"] == "ask_admin"
    with pytest.raises(TooManyRequests) as spent:
        await billing.reserve(request_for(payer, input_tokens_max=50_000_000))
    assert spent.value.code == "budget_exceeded"
    assert spent.value.headers["x-should-retry"] == "false"
    assert {"scope", "limit_nano", "spent_nano", "held_nano", "resets_at"} <= spent.value.extra.keys()


async def test_a_hold_nobody_knows_is_not_found(billing: BillingClient) -> None:
    with pytest.raises(NotFound):
        await billing.usage(uuid7())


async def test_entitlements_are_those_of_the_person_acted_for(
    billing: BillingClient, person: Person, stack: Stack
) -> None:
    mine = person.entitlements()
    principal = make_principal(user_id=UUID(person.id))
    assert (await billing.entitlements(principal))["wallet"]["id"] == mine["wallet"]["id"]


async def test_silence_is_an_unavailable_billing(stack: Stack, payer: Principal) -> None:
    pool = UpstreamPool()
    nowhere = BillingClient(
        pool,
        stack.service_tokens("inference-service"),
        base_url=f"http://127.0.0.1:{free_port()}",
        timeouts=QUICK,
    )
    with pytest.raises(BillingUnavailable):
        await nowhere.reserve(request_for(payer))
    await pool.aclose()
