"""A real billing-service on a real PostgreSQL, and the pieces its tests share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
from billing_service.entitlements.models import ReservePolicy
from billing_service.entitlements.repository import EntitlementRepository
from billing_service.jobs.repository import INVARIANTS, JobRepository
from billing_service.main import create_app
from billing_service.settings import BillingSettings
from hypothesis import HealthCheck, settings
from identities import KeyRing, make_principal
from servers import serve
from shared.auth.permissions import Role
from shared.auth.principal import Principal
from shared.contracts.billing import PrincipalChain, ReserveRequest
from shared.db import create_raw_pool
from shared.money import NANO

MODEL = "qwen2.5-coder-0.5b-instruct"

_CALM = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
settings.register_profile(
    "bounded", max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=_CALM
)
settings.register_profile(
    "thorough", max_examples=300, stateful_step_count=60, deadline=None, suppress_health_check=_CALM
)
if settings.get_current_profile_name() not in {"thorough"}:
    settings.load_profile("bounded")


@dataclass(frozen=True)
class Tenant:
    """A new organisation with one person."""

    organisation_id: UUID = field(default_factory=uuid4)
    team_id: UUID = field(default_factory=uuid4)
    user_id: UUID = field(default_factory=uuid4)
    key_id: UUID | None = None

    def chain(self, **changes: Any) -> dict[str, Any]:
        chain = {
            "user_id": self.user_id,
            "organisation_id": self.organisation_id,
            "team_id": self.team_id,
            "key_id": self.key_id,
        }
        return {
            name: str(value) if isinstance(value, UUID) else value
            for name, value in {**chain, **changes}.items()
        }

    def request(self, **changes: Any) -> ReserveRequest:
        body = {
            "request_id": uuid4(),
            "principal": PrincipalChain(**self.chain()),
            "model": MODEL,
            "provider": "builtin",
        }
        return ReserveRequest(**{**body, "input_tokens_max": 400, "output_tokens_max": 100, **changes})

    def principal(self, role: Role = Role.USER) -> Principal:
        return make_principal(
            role,
            user_id=self.user_id,
            organisation_id=self.organisation_id,
            team_id=self.team_id,
            key_id=self.key_id,
        )


@dataclass
class Billing:
    """The service under test: its address, its database and how to call it."""

    http: httpx.AsyncClient
    pool: asyncpg.Pool
    keys: KeyRing
    settings: BillingSettings
    app: Any

    def inference(self) -> dict[str, str]:
        return self.keys.service_headers("inference-service", target="billing-service")

    def person(self, tenant: Tenant, role: Role = Role.USER) -> dict[str, str]:
        return self.keys.user_headers(tenant.principal(role))

    async def reserve(self, tenant: Tenant, **changes: Any) -> httpx.Response:
        principal = tenant.chain(**changes.pop("principal", {}))
        body = {
            "request_id": str(uuid4()),
            "principal": principal,
            "model": MODEL,
            "provider": "builtin",
            "kind": "chat",
        }
        body |= {"input_tokens_max": 400, "output_tokens_max": 100, "n": 1, **changes}
        return await self.http.post("/internal/v1/reservations", json=body, headers=self.inference())

    async def settle(self, request_id: str, **usage: int) -> httpx.Response:
        body = {
            "usage": usage,
            "source": "provider",
            "outcome": "complete",
            "occurred_at": datetime.now(UTC).isoformat(),
            "latency_ms": 7,
        }
        return await self.http.post(
            f"/internal/v1/reservations/{request_id}/settle", json=body, headers=self.inference()
        )

    async def release(self, request_id: str) -> httpx.Response:
        return await self.http.post(
            f"/internal/v1/reservations/{request_id}/release",
            json={"reason": "provider down"},
            headers=self.inference(),
        )

    async def checkpoint(self, **tokens: int) -> dict[str, Any]:
        holds = [{"request_id": request_id, "output_tokens": count} for request_id, count in tokens.items()]
        answer = await self.http.post(
            "/internal/v1/reservations/checkpoint", json={"holds": holds}, headers=self.inference()
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def spend(self, tenant: Tenant, *, model: str = MODEL, **usage: int) -> str:
        """Reserve and settle one dispatch; its id."""
        held = (await self.reserve(tenant, model=model)).json()
        assert (await self.settle(held["request_id"], **usage)).status_code == 200
        return held["request_id"]

    async def get(self, tenant: Tenant, path: str, role: Role = Role.ADMIN, **params: Any) -> Any:
        """What a public route shows to somebody with this role."""
        answer = await self.http.get(
            f"/api/v1/billing{path}", headers=self.person(tenant, role), params=params
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put_budget(
        self, tenant: Tenant, limit: str, *, scope: str = "user", scope_id: Any = None, window: str = "month"
    ) -> Any:
        """Set a hard budget as an administrator of the organisation."""
        body = {"scope": scope, "scope_id": str(scope_id or tenant.user_id), "window": window, "limit": limit}
        answer = await self.http.put(
            "/api/v1/billing/budgets", json=body, headers=self.person(tenant, Role.ORG_ADMIN)
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def expire(self, request_id: str) -> bool:
        """End a hold as the sweeper would, as if its time had passed."""
        return await self.pool.fetchval("SELECT expire_hold($1, now() + interval '1 day')", UUID(request_id))


@pytest.fixture(scope="module")
def database(service_database: Callable[[str], Any]) -> Any:
    return service_database("billing-service")


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing()


@pytest.fixture(scope="module")
def start_billing(database: Any, keys: KeyRing) -> Callable[..., AbstractAsyncContextManager[Billing]]:
    """Starts a service; keyword arguments are settings."""

    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[Billing]:
        fields = {
            "jobs_enabled": False,
            **keys.settings_fields("billing-service", database_url=database.app_url),
            **changes,
        }
        service_settings = BillingSettings(_env_file=None, **fields)
        app = create_app(service_settings)
        pool = await create_raw_pool(database.app_url, schema="billing", size_min=1, size_max=4)
        async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as http:
            yield Billing(http, pool, keys, service_settings, app)
        await pool.close()

    return start


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def billing(
    start_billing: Callable[..., AbstractAsyncContextManager[Billing]],
) -> AsyncIterator[Billing]:
    """One service a module: its tests run on the module's loop and each has a tenant of its own."""
    async with start_billing() as service:
        yield service


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


@pytest.fixture
def new_tenant() -> type[Tenant]:
    return Tenant


@pytest.fixture
def policy() -> ReservePolicy:
    """5 USD granted, 2 USD a month for each person."""
    return ReservePolicy(
        ttl_s=30, renewed_ttl_s=10, output_tokens_min=16, grant_nano=5 * NANO, default_budget_nano=2 * NANO
    )


@pytest.fixture
async def pool(database: Any) -> AsyncIterator[asyncpg.Pool]:
    made = await create_raw_pool(database.app_url, schema="billing", size_min=1, size_max=8)
    yield made
    await made.close()


@pytest.fixture
def repository(pool: asyncpg.Pool) -> EntitlementRepository:
    return EntitlementRepository(pool)


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """`await until(check)`: polls an async check until it is true, for 60 s at most."""

    async def wait(check: Callable[[], Any], *, pause_s: float = 0.02) -> None:
        async with asyncio.timeout(60):
            while True:
                if await check():
                    return
                await asyncio.sleep(pause_s)

    return wait


@pytest.fixture
def broken_invariants() -> Callable[[asyncpg.Pool], Any]:
    """What the invariants job finds, by invariant; {} when all is well."""

    async def check(pool: asyncpg.Pool) -> dict[str, list[str]]:
        jobs = JobRepository(pool)
        found = {invariant: await jobs.violations(invariant) for invariant in INVARIANTS}
        return {invariant: rows for invariant, rows in found.items() if rows}

    return check
