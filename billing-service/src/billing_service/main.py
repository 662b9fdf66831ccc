"""Composition root of the billing-service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from shared.app.asgi import ServiceApp
from shared.app.service import create_service_app
from shared.background import Periodic
from shared.db import Database, check_schema, create_raw_pool, function_names
from shared.http.client import make_client
from shared.operations import check_database
from shared.settings import load_settings_or_exit

from billing_service.audit.endpoints import internal_router as internal_audit_router
from billing_service.audit.endpoints import router as audit_router
from billing_service.budgets.endpoints import router as budgets_router
from billing_service.entitlements.endpoints import router as entitlements_router
from billing_service.entitlements.internal_routes import HOT_ROUTES
from billing_service.entitlements.metrics import EntitlementMetrics
from billing_service.entitlements.models import ReservePolicy
from billing_service.entitlements.repository import EntitlementRepository
from billing_service.entitlements.service import EntitlementService
from billing_service.jobs.metrics import JobMetrics
from billing_service.jobs.repository import JobRepository
from billing_service.jobs.schedule import build_jobs
from billing_service.ledger.endpoints import router as ledger_router
from billing_service.pricing.endpoints import router as pricing_router
from billing_service.retention.purges import retention
from billing_service.settings import SCHEMA, SCHEMA_VERSION, BillingSettings
from billing_service.tracking.endpoints import router as tracking_router
from billing_service.tracking.openrouter import OpenRouter
from billing_service.tracking.sync import LOOK_S, OpenRouterSync
from billing_service.usage.endpoints import router as usage_router
from billing_service.wallets.endpoints import router as wallets_router

_ROUTERS = (
    entitlements_router,
    pricing_router,
    wallets_router,
    budgets_router,
    usage_router,
    tracking_router,
    ledger_router,
    audit_router,
    internal_audit_router,
)
_ORM_POOL_MAX = 3


def reserve_policy(settings: BillingSettings) -> ReservePolicy:
    """What the settings say about every hold."""
    return ReservePolicy(
        ttl_s=settings.hold_ttl_s,
        renewed_ttl_s=settings.renewed_ttl_s,
        output_tokens_min=settings.min_granted_tokens,
        grant_nano=settings.starting_grant_nano,
        default_budget_nano=settings.default_user_budget_nano,
    )


def openrouter_sync(
    settings: BillingSettings, database: Database, client: httpx.AsyncClient
) -> OpenRouterSync:
    """What the settings say about OpenRouter; asked only when its key is set."""
    key, management_key = settings.openrouter_api_key, settings.openrouter_management_key
    openrouter = OpenRouter(
        client,
        key=key.get_secret_value() if key else "",
        management_key=management_key.get_secret_value() if management_key else None,
    )
    return OpenRouterSync(
        database,
        openrouter,
        interval_s=settings.openrouter_usage_sync_interval,
        days_back=settings.openrouter_usage_sync_days_back,
    )


def create_app(settings: BillingSettings | None = None) -> ServiceApp:
    """The service's outer ASGI callable; settings come from the environment when not given."""
    settings = settings or load_settings_or_exit(BillingSettings)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
        url = settings.database_url.get_secret_value()
        database = Database(url, schema=SCHEMA, pool_max=_ORM_POOL_MAX)
        await check_schema(
            database,
            service=settings.service,
            code_version=SCHEMA_VERSION,
            functions=function_names("billing_service"),
        )
        # size_min=0: asyncpg logs a traceback a second for each missing connection while the server is away.
        pool = await create_raw_pool(url, schema=SCHEMA, size_min=0, size_max=settings.database_pool_max)
        repository = EntitlementRepository(pool)
        await repository.apply_default_budgets(
            settings.default_user_budget_nano, ceiling_nano=settings.default_user_budgets_max_nano
        )
        api.state.database = database
        api.state.entitlements = EntitlementService(
            repository,
            policy=reserve_policy(settings),
            public_url=settings.public_url,
            metrics=EntitlementMetrics(api.state.metrics),
        )
        api.state.retention = retention(database, settings, api.state.metrics)
        jobs = list[Periodic]()
        if settings.jobs_enabled:
            jobs = build_jobs(JobRepository(pool), settings=settings, metrics=JobMetrics(api.state.metrics))
            jobs.append(api.state.retention.job())
        client = make_client(settings.openrouter_base_url)
        if settings.jobs_enabled and settings.syncs_openrouter:
            jobs.append(Periodic("OpenRouter", LOOK_S, openrouter_sync(settings, database, client).look))
        for job in jobs:
            job.start()
        yield
        for job in jobs:
            await job.close()
        await client.aclose()
        await pool.close()
        await database.dispose()

    return create_service_app(
        settings,
        title="Atrium billing-service",
        lifespan=lifespan,
        routers=_ROUTERS,
        hot_routes=HOT_ROUTES,
        readiness={"database": check_database},
    )


def __getattr__(name: str) -> ServiceApp:
    """`app`, built when uvicorn asks for it: importing this module reads no environment."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
