"""POST /internal/v1/reservations/batch: entries share the call and its transaction, and nothing else."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from shared.contracts.billing import (
    BATCH_ENTRIES_MAX,
    UNDECIDED,
    BatchAnswers,
    Release,
    Reservation,
    Settlement,
)
from shared.errors import Unavailable

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "qwen2.5-coder-0.5b-instruct"


def reserve(tenant: Any, **changes: Any) -> dict[str, Any]:
    body = {"request_id": str(uuid4()), "principal": tenant.chain(), "model": MODEL, "provider": "builtin"}
    return {
        "action": "reserve",
        "body": body | {"input_tokens_max": 400, "output_tokens_max": 100, **changes},
    }


def settle(dispatch_id: str, **changes: Any) -> dict[str, Any]:
    body = {
        "usage": {"input_tokens": 10, "output_tokens": 5},
        "source": "provider",
        "outcome": "complete",
        **changes,
    }
    return {
        "action": "settle",
        "dispatch_id": dispatch_id,
        "body": {"occurred_at": datetime.now(UTC).isoformat(), **body},
    }


def release(dispatch_id: str) -> dict[str, Any]:
    return {"action": "release", "dispatch_id": dispatch_id, "body": {"reason": "not dispatched"}}


async def send(billing: Any, *entries: Any) -> list[tuple[int, dict[str, Any]]]:
    answer = await billing.http.post(
        "/internal/v1/reservations/batch", json={"entries": entries}, headers=billing.inference()
    )
    assert answer.status_code == 200, answer.text
    BatchAnswers.model_validate(answer.json())
    return [(each["status"], each["body"]) for each in answer.json()["answers"]]


def id_of(entry: dict[str, Any]) -> str:
    return entry["body"]["request_id"]


async def writers(billing: Any, *dispatch_ids: str) -> set[str]:
    """The transactions that wrote these holds last."""
    rows = await billing.pool.fetch(
        "SELECT xmin::text FROM hold WHERE request_id = ANY ($1)", [UUID(each) for each in dispatch_ids]
    )
    return {row[0] for row in rows}


async def spend_all(billing: Any, tenant: Any, other: Any) -> dict[str, Any]:
    """A hold that leaves next to nothing of the tenant's budget of 2 USD."""
    probe = (await send(billing, reserve(other)))[0][1]
    most = 2_000_000_000 // probe["amount_nano"]
    entry = reserve(tenant, input_tokens_max=400 * most, output_tokens_max=100 * most)
    assert (await send(billing, entry))[0][0] == 200
    return entry


async def test_settlements_and_reserves_of_an_organisation_share_a_transaction(
    billing, tenant, broken_invariants
):
    first = [reserve(tenant) for _ in range(3)]
    held = await send(billing, *first)
    assert {status for status, _ in held} == {200}
    assert [Reservation.model_validate(body).request_id for _, body in held] == [
        UUID(id_of(entry)) for entry in first
    ]
    second = [reserve(tenant) for _ in range(2)]
    mixed = await send(billing, settle(id_of(first[0])), second[0], settle(id_of(first[1])), second[1])
    assert [status for status, _ in mixed] == [200] * 4
    assert [UUID(body["request_id"]) for _, body in mixed] == [
        UUID(each) for each in (id_of(first[0]), id_of(second[0]), id_of(first[1]), id_of(second[1]))
    ]
    assert (
        Settlement.model_validate(mixed[0][1]).cost_nano
        == Settlement.model_validate(mixed[2][1]).cost_nano
        > 0
    )
    assert len(await writers(billing, *map(id_of, (*first[:2], *second)))) == 1
    assert await broken_invariants(billing.pool) == {}


async def test_what_a_settlement_gives_back_admits_the_reserve_beside_it(billing, tenant, new_tenant):
    big = await spend_all(billing, tenant, new_tenant())
    assert (await send(billing, reserve(tenant, input_tokens_max=4_000)))[0][0] == 429
    answers = await send(billing, reserve(tenant, input_tokens_max=4_000), settle(id_of(big)))
    assert [status for status, _ in answers] == [200, 200]


async def test_each_entry_is_refused_alone_and_as_its_own_route_would(billing, tenant, new_tenant):
    poor = new_tenant()
    await spend_all(billing, poor, tenant)
    good, unpriced, dear = (
        reserve(tenant),
        reserve(tenant, model="nobody-knows"),
        reserve(poor, input_tokens_max=4_000),
    )
    torn = reserve(tenant, output_tokens_max=-1)
    barred = reserve(tenant)
    barred["body"]["principal"]["models"] = ["another"]
    strange: Any = {"action": "reward"}
    answers = await send(
        billing, unpriced, good, dear, torn, barred, strange, 7, settle(str(uuid4())), release(str(uuid4()))
    )
    assert [status for status, _ in answers] == [402, 200, 429, 422, 403, 422, 422, 404, 404]
    codes = [body.get("code") for _, body in answers]
    assert codes == [
        "price_unknown", None, "budget_exceeded", "invalid", "model_not_allowed", "invalid", "invalid",
        "hold_unknown", "hold_unknown",
    ]  # fmt: skip
    alone = (await billing.reserve(tenant, model="nobody-knows")).json()
    assert {**alone, "request_id": ""} == {**answers[0][1], "request_id": ""}
    assert answers[2][1]["limit_nano"] > 0


async def test_a_repeat_gets_the_first_answer(billing, tenant):
    entry = reserve(tenant)
    first, again = await send(billing, entry), await send(billing, entry)
    assert first[0][1]["amount_nano"] == again[0][1]["amount_nano"]
    charges = await send(billing, settle(id_of(entry)), settle(id_of(entry), usage={"output_tokens": 90}))
    assert charges[0][1]["cost_nano"] == charges[1][1]["cost_nano"]
    single = await billing.settle(id_of(entry), output_tokens=100)
    assert single.json()["cost_nano"] == charges[0][1]["cost_nano"]


async def test_a_release_gives_back_what_was_held(billing, tenant, broken_invariants):
    kept, given = reserve(tenant), reserve(tenant)
    await send(billing, kept, given)
    answers = await send(billing, release(id_of(given)), settle(id_of(kept)))
    assert [status for status, _ in answers] == [200, 200]
    assert Release.model_validate(answers[0][1]).state == "released"
    status, body = (await send(billing, settle(id_of(given))))[0]
    assert (status, body["code"]) == (409, "hold_ended")
    assert await broken_invariants(billing.pool) == {}


async def test_organisations_in_one_call_keep_to_themselves(billing, tenant, new_tenant):
    other = new_tenant()
    mine, theirs = reserve(tenant), reserve(other)
    assert [status for status, _ in await send(billing, mine, theirs)] == [200, 200]
    assert len(await writers(billing, id_of(mine), id_of(theirs))) == 2
    assert [status for status, _ in await send(billing, settle(id_of(theirs)), settle(id_of(mine)))] == [
        200,
        200,
    ]


async def test_a_providers_id_is_noted_before_the_charge(billing, tenant):
    entry = reserve(tenant)
    await send(billing, entry)
    answers = await send(
        billing, settle(id_of(entry), provider_request_id="gen-1", provider_cost_nano=5), reserve(tenant)
    )
    assert [status for status, _ in answers] == [200, 200]
    assert (
        await billing.pool.fetchval(
            "SELECT reported_nano FROM provider_call WHERE request_id = $1", UUID(id_of(entry))
        )
        == 5
    )


async def test_the_call_itself_is_bounded_and_for_dispatchers_only(billing, tenant):
    async def post(body: Any, headers: dict[str, str]) -> int:
        return (
            await billing.http.post("/internal/v1/reservations/batch", json=body, headers=headers)
        ).status_code

    assert await post({"entries": []}, billing.inference()) == 422
    assert await post({"entries": "all"}, billing.inference()) == 422
    assert (
        await post({"entries": [release(str(uuid4()))] * (BATCH_ENTRIES_MAX + 1)}, billing.inference()) == 422
    )
    assert await post({"entries": [{"filler": "x" * 1_100_000}]}, billing.inference()) == 413
    assert await post({"entries": [reserve(tenant)]}, billing.person(tenant)) == 403
    assert await post({"entries": [reserve(tenant)]}, {}) == 401


async def test_each_entry_has_its_own_access_line(billing, tenant, capfd):
    billing.app.state.access_log.flush()
    capfd.readouterr()
    await send(
        billing,
        {**reserve(tenant), "request_id": "request-number-one"},
        {**settle(str(uuid4())), "request_id": "request-number-two"},
    )
    billing.app.state.access_log.flush()
    lines = [line for line in capfd.readouterr().err.splitlines() if "request-number-" in line]
    assert ['"status":200' in lines[0], '"status":404' in lines[1]] == [True, True]
    assert "/internal/v1/reservations/{request_id}/settle" in lines[1]


async def test_an_organisation_whose_wallet_is_locked_keeps_nobody_else_waiting(
    billing, tenant, new_tenant, broken_invariants
):
    stuck = new_tenant()
    assert (await send(billing, reserve(stuck)))[0][0] == 200
    late, before, after = reserve(stuck), reserve(tenant), reserve(tenant)
    async with billing.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT FROM account a JOIN book k ON k.wallet_id = a.id WHERE k.organisation_id = $1"
            " FOR UPDATE OF a",
            stuck.organisation_id,
        )
        answers = await send(billing, before, late, reserve(stuck), after)
        assert [status for status, _ in answers] == [200, 503, 503, 200]
        assert answers[1][1]["code"] == UNDECIDED
        alone = asyncio.ensure_future(billing.reserve(stuck, request_id=id_of(late)))
        await asyncio.sleep(0.1)
        assert not alone.done()
    assert (await alone).status_code == 200
    assert (await send(billing, settle(id_of(late))))[0][0] == 200
    assert await broken_invariants(billing.pool) == {}


async def test_each_entry_counts_as_a_request_of_its_own_route(billing, tenant):
    def count(status: str) -> float:
        labels = {"method": "POST", "route": "/internal/v1/reservations", "status": status}
        return billing.app.state.metrics.registry.get_sample_value("atrium_http_requests_total", labels) or 0

    granted, refused = count("200"), count("402")
    await send(billing, reserve(tenant), reserve(tenant, model="nobody-knows"), reserve(tenant))
    assert (count("200") - granted, count("402") - refused) == (2, 1)


async def test_an_entry_that_cannot_be_read_is_refused_as_by_its_own_route(billing, tenant):
    torn = {**reserve(tenant, output_tokens_max=-1), "request_id": "request-number-three"}
    status, answer = (await send(billing, torn))[0]
    assert (status, answer["instance"]) == (422, "/internal/v1/reservations")
    assert (answer["errors"][0]["field"], answer["request_id"]) == (
        "output_tokens_max",
        "request-number-three",
    )


@pytest.mark.parametrize("action", [{}, {"action": "bogus"}, {"action": 7}, {"action": "reserve", "body": 7}])
async def test_an_entry_of_no_known_kind_leaves_its_neighbours_alone(billing, tenant, action):
    odd = {"request_id": "request-number-four", **action}
    answers = await send(billing, reserve(tenant), odd, reserve(tenant))
    assert [status for status, _ in answers] == [200, 422, 200]


async def test_a_settlement_that_needs_another_look_leaves_its_neighbours_alone(billing, tenant, monkeypatch):
    """What was decided with it is committed and says so, also when the second look fails."""
    ended, held = reserve(tenant), reserve(tenant)
    await send(billing, ended, held)
    await send(billing, settle(id_of(ended)))
    repository = billing.app.state.entitlements._repository
    rows = repository._rows

    async def busy(query: str, arguments: Any) -> Any:
        if "settle_many" in query:
            raise Unavailable("billing is too busy to decide; nothing was charged, try again")
        return await rows(query, arguments)

    monkeypatch.setattr(repository, "_rows", busy)
    repository._queues[UUID(id_of(ended))] = repository._queues[UUID(id_of(held))]
    answers = await send(billing, settle(id_of(held)), settle(id_of(ended)), reserve(tenant))
    assert [status for status, _ in answers] == [200, 503, 200]


async def test_what_is_left_is_told_where_there_are_budgets_and_no_wallet_yet(billing, tenant):
    free = {"model": "all-minilm-l6-v2", "kind": "embedding", "output_tokens_max": 0}
    await billing.pool.execute(
        'INSERT INTO budget (organisation_id, scope, scope_id, "window", limit_nano, is_default)'
        " VALUES ($1, 'user', $2, 'day', 7000, false)",
        tenant.organisation_id,
        tenant.user_id,
    )
    entry = reserve(tenant, **free)
    (_, held), (_, settled) = [*await send(billing, entry), *await send(billing, settle(id_of(entry)))]
    assert held["remaining_nano"] == settled["remaining_nano"] == 7000
