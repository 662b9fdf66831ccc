"""Composition root of the agent-service."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from shared.app import ServiceApp, check_database, create_service_app
from shared.clients.billing import BillingClient
from shared.clients.completions import Completions
from shared.clients.retrieval import RetrievalClient
from shared.db import Database, check_schema
from shared.durable import DurableEngine
from shared.http import Timeouts, UpstreamPool
from shared.settings import load_settings_or_exit
from starlette.datastructures import State

from agent_service.code.endpoints import router as code_router
from agent_service.code.limits import BODY_BYTES_MAX, CodeLimits
from agent_service.code.service import CodeRunner
from agent_service.identity.endpoints import router as identity_router
from agent_service.settings import SCHEMA_VERSION, AgentSettings

SCHEMA = "agent"
_DURABLE_SCHEMA = "agent_dbos"
_WORKFLOW_VERSION = "1"
"""Raised when the steps of the workflows change: unfinished runs of another version are ended instead of continued."""


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Open what the service owns, and close it after the drain, last opened first."""
    settings: AgentSettings = api.state.settings
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url.get_secret_value(), schema=SCHEMA, pool_max=settings.database_pool_max)
        stack.push_async_callback(database.dispose)
        api.state.database = database
        await check_schema(database, service=settings.service, code_version=SCHEMA_VERSION)
        pool = UpstreamPool()
        stack.push_async_callback(pool.aclose)
        _build_clients(api.state, pool, settings)
        api.state.code = code = CodeRunner(_code_limits(settings), tasks=api.state.tasks)
        stack.push_async_callback(code.close)
        code.open()
        engine = DurableEngine(
            service=settings.service,
            database_url=settings.database_url.get_secret_value(),
            schema=_DURABLE_SCHEMA,
            version=_WORKFLOW_VERSION,
            executor_id=settings.executor_id,
        )
        await engine.launch()
        stack.push_async_callback(engine.close)
        yield


def _build_clients(state: State, pool: UpstreamPool, settings: AgentSettings) -> None:
    tokens = state.service_tokens
    state.completions = Completions(
        pool,
        tokens,
        base_url=settings.inference_service_url,
        timeouts=Timeouts(
            connect_s=settings.provider_connect_timeout_s,
            first_byte_s=settings.provider_first_token_timeout_s,
            idle_s=settings.provider_idle_timeout_s,
        ),
    )
    state.retrieval = RetrievalClient(
        pool, tokens, base_url=settings.retrieval_service_url, timeouts=Timeouts(connect_s=2, first_byte_s=30)
    )
    state.billing = BillingClient(pool, tokens, base_url=settings.billing_service_url, timeouts=Timeouts(connect_s=2, first_byte_s=5))


def _code_limits(settings: AgentSettings) -> CodeLimits:
    return CodeLimits(
        cache_dir=settings.atrium_home / "cache" / "code",
        enabled=settings.code_enabled,
        concurrency=settings.code_concurrency,
        waiting_max=settings.code_queue_max,
        waiting_per_user_max=settings.code_queue_per_user_max,
        wait_max_s=settings.code_queue_wait_s,
        memory_bytes_max=settings.code_memory_max_bytes,
        timeout_s=settings.code_timeout_s,
        output_bytes_max=settings.code_output_max_bytes,
        disk_bytes_max=settings.code_disk_max_bytes,
        idle_s=settings.code_idle_s,
        uid_first=settings.code_uid_first,
    )


def create_app(settings: AgentSettings | None = None) -> ServiceApp:
    """The service as an ASGI callable."""
    return create_service_app(
        settings or load_settings_or_exit(AgentSettings),
        title="Atrium agent-service",
        lifespan=lifespan,
        routers=[identity_router, code_router],
        readiness={"database": check_database},
        body_bytes_max=BODY_BYTES_MAX,
    )
