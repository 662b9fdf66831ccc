"""The acts that services recorded come into the one audit log, each once."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from gateways.running import KEYS, Gateway, Person, StartGateway
from servers import serve
from shared.auth.principal import DEFAULT_ORGANISATION_ID
from shared.auth.tokens import TokenVerifier
from shared.clock import utc_now
from shared.ids import made_at, uuid7, uuid7_floor
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

AUDIT = "/api/v1/admin/audit"


class Billing:
    """A record of acts. A `status` other than 200 is a refusal. `asked`: ids that came as `after`."""

    def __init__(self) -> None:
        self.acts: list[dict[str, Any]] = []
        self.asked: list[UUID] = []
        self.status = 200
        self.url = ""

    def record(
        self, action: str, subject: str, *, at: datetime | None = None, **members: Any
    ) -> dict[str, Any]:
        made = uuid7() if at is None else uuid7_floor(at)
        fields = {
            "id": str(made),
            "at": made_at(made).isoformat(),
            "organisation_id": str(DEFAULT_ORGANISATION_ID),
        }
        act = {**fields, "action": action, "subject": subject, **members}
        self.acts.append(act)
        return act

    async def answer(self, request: Request) -> JSONResponse:
        verifier = TokenVerifier(jwks=KEYS.jwks, audience="billing-service", callers={"gateway": frozenset()})
        assert verifier.verify(request.headers["authorization"].removeprefix("Bearer ")).service == "gateway"
        after, limit = UUID(request.query_params["after"]), int(request.query_params["limit"])
        self.asked.append(after)
        found = sorted((act for act in self.acts if UUID(act["id"]) > after), key=lambda act: act["id"])
        page = {"object": "list", "data": found[:limit], "has_more": len(found) > limit, "last_id": None}
        return JSONResponse(page if self.status == 200 else {}, status_code=self.status)


@pytest.fixture
async def billing() -> AsyncIterator[Billing]:
    service = Billing()
    async with serve(Starlette(routes=[Route("/internal/v1/audit", service.answer)])) as url:
        service.url = url
        yield service


@pytest.fixture
async def gateway(start_gateway: StartGateway, billing: Billing) -> AsyncIterator[Gateway]:
    async with start_gateway(billing_service_url=billing.url) as running:
        yield running


async def collect(gateway: Gateway) -> None:
    await gateway.state.audit_collector.run()


async def log_of(admin: Person) -> list[dict[str, Any]]:
    return (await admin.get(AUDIT, params={"limit": 100})).json()["data"]


async def test_acts_of_services_and_of_the_gateway_are_one_log_in_the_order_of_time(
    gateway: Gateway, billing: Billing, admin: Person, member: Person
) -> None:
    budget_id = str(uuid4())
    first = billing.record(
        "budget.set", budget_id, actor_id=admin.user["id"], before=None, after={"limit_nano": 5}
    )
    await admin.patch(f"/api/v1/admin/users/{member.user['id']}", {"role": "finance"})
    billing.record("price.set", "gpt-4o", before={"free": True}, after={"free": False})
    await collect(gateway)
    shown = await log_of(admin)
    assert [(entry["service"], entry["action"]) for entry in shown] == [
        ("billing-service", "price.set"),
        ("gateway", "user.role_changed"),
        ("billing-service", "budget.set"),
    ]
    assert (shown[2]["id"], shown[2]["actor_id"], shown[2]["target_type"], shown[2]["target_id"]) == (
        first["id"], admin.user["id"], "budget", budget_id,
    )  # fmt: skip
    assert shown[0]["detail"] == {"subject": "gpt-4o", "before": {"free": True}, "after": {"free": False}}
    assert datetime.fromisoformat(shown[2]["created_at"]) == datetime.fromisoformat(first["at"])


async def test_each_act_is_added_once_however_often_and_by_how_many_it_is_read(
    start_gateway: StartGateway, billing: Billing
) -> None:
    for number in range(250):
        billing.record("price.set", f"model-{number}")
    async with (
        start_gateway(billing_service_url=billing.url) as one,
        start_gateway(one.database, billing_service_url=billing.url) as other,
    ):
        admin = await one.sign_up("ada")
        for gateway in (one, other, one):
            await collect(gateway)
        rows = await one.fetch("SELECT count(*) AS n, count(DISTINCT target_id) AS targets FROM audit_log")
        assert len(await log_of(admin)) == 100
    assert (rows[0]["n"], rows[0]["targets"]) == (250, 250)


async def test_an_act_whose_transaction_took_longer_than_that_of_a_newer_one_is_not_missed(
    gateway: Gateway, billing: Billing, admin: Person
) -> None:
    begun = utc_now() - timedelta(minutes=5)
    billing.record("price.set", "newer")
    await collect(gateway)
    billing.record("price.set", "older", at=begun)
    await collect(gateway)
    assert [entry["detail"]["subject"] for entry in await log_of(admin)] == ["newer", "older"]


async def test_nothing_is_asked_for_that_would_be_deleted_again(
    gateway: Gateway, billing: Billing, admin: Person
) -> None:
    billing.record("price.set", "ancient", at=utc_now() - timedelta(days=800))
    await collect(gateway)
    assert await log_of(admin) == []
    assert made_at(billing.asked[-1]) > utc_now() - timedelta(days=731)


async def test_what_is_known_is_not_read_again(gateway: Gateway, billing: Billing, admin: Person) -> None:
    billing.record("price.set", "old", at=utc_now() - timedelta(days=30))
    newest = billing.record("price.set", "new")
    await collect(gateway)
    await collect(gateway)
    assert made_at(billing.asked[-1]) > made_at(UUID(newest["id"])) - timedelta(minutes=11)
    assert len(await log_of(admin)) == 2


async def test_an_act_of_an_organisation_that_is_not_here_is_passed_over(
    gateway: Gateway, billing: Billing, admin: Person
) -> None:
    billing.record("price.set", "theirs", organisation_id=str(uuid4()))
    billing.record("price.set", "ours")
    await collect(gateway)
    assert [entry["detail"]["subject"] for entry in await log_of(admin)] == ["ours"]


@pytest.mark.parametrize("status", [404, 503])
async def test_a_service_of_the_version_before_or_one_that_is_away_is_asked_again(
    gateway: Gateway, billing: Billing, admin: Person, status: int
) -> None:
    billing.record("price.set", "waiting")
    billing.status = status
    await collect(gateway)
    billing.status = 200
    await collect(gateway)
    assert [entry["detail"]["subject"] for entry in await log_of(admin)] == ["waiting"]
