"""Composition root of the agent-service."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from shared.access import AccessEnd, access_subscriber
from shared.app.asgi import ServiceApp
from shared.app.caller import caller_router
from shared.app.service import create_service_app
from shared.background import Periodic, TaskTracker
from shared.clients.billing import BillingClient
from shared.clients.completions import Completions
from shared.clients.retrieval import RetrievalClient
from shared.clients.windows import ModelWindows
from shared.db import Database, check_schema
from shared.durable import DurableEngine
from shared.erasure import Erasures
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from shared.operations import check_database
from shared.settings import load_settings_or_exit
from shared.shutdown import on_shutdown_signal
from shared.succession import Succession
from starlette.datastructures import State

from agent_service.agents.endpoints import router as agents_router
from agent_service.agents.service import FieldChecks
from agent_service.agents.sources import AgentSources
from agent_service.code.endpoints import router as code_router
from agent_service.code.limits import BODY_BYTES_MAX, CodeLimits
from agent_service.code.service import CodeRunner
from agent_service.events.follow import RunStreams
from agent_service.events.live import LiveRuns
from agent_service.loop.costs import Costs
from agent_service.loop.model_step import ModelSteps
from agent_service.loop.sweeper import Sweeper
from agent_service.loop.tool_step import ToolSteps
from agent_service.loop.workflow import KIND as RUN
from agent_service.loop.workflow import RunWorkflow
from agent_service.mcp.endpoints import router as mcp_router
from agent_service.retention.erasure import BELONGINGS
from agent_service.retention.purges import retention
from agent_service.runs.endpoints import internal_router as internal_runs_router
from agent_service.runs.endpoints import router as runs_router
from agent_service.runs.service import RunService
from agent_service.settings import SCHEMA_VERSION, AgentSettings
from agent_service.toolbox import build_tools
from agent_service.tools.endpoints import router as tools_router
from agent_service.tools.port import Toolbox

SCHEMA = "agent"
_DURABLE_SCHEMA = "agent_dbos"
_WORKFLOW_VERSION = "1"
"""Raised when the order of a workflow's steps changes: unfinished runs of another version then start again,
by what their rows say.
"""
_OLD_COSTS_S = 60


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Open what the service owns, and close it after the drain, last opened first."""
    settings: AgentSettings = api.state.settings
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_url.get_secret_value(), schema=SCHEMA, pool_max=settings.database_pool_max
        )
        stack.push_async_callback(database.dispose)
        api.state.database = database
        await check_schema(database, service=settings.service, code_version=SCHEMA_VERSION)
        pool = UpstreamPool()
        stack.push_async_callback(pool.aclose)
        _build_clients(api.state, pool, settings)
        api.state.code = code = CodeRunner(_code_limits(settings), tasks=api.state.tasks)
        api.state.tools, look_after_servers = build_tools(api.state, settings, stack)
        api.state.toolbox = api.state.toolbox or api.state.tools
        engine = DurableEngine(
            service=settings.service,
            database_url=settings.database_url.get_secret_value(),
            schema=_DURABLE_SCHEMA,
            version=_WORKFLOW_VERSION,
            executor_id=settings.executor_id,
        )
        workflow, jobs = _build_runs(api.state, engine, pool, settings, stack)
        url = settings.database_url.get_secret_value()
        losses = access_subscriber(
            url, service=settings.service, end_work=api.state.erasures.after(partial(_end_access, api.state))
        )
        losses.start()
        stack.push_async_callback(losses.close)
        stack.callback(
            on_shutdown_signal(partial(_begin_drain, api.state, workflow, settings.drain_timeout_s))
        )

        async def own(owned: AsyncExitStack) -> None:
            """Runs have one owner, and so have the users that code runs as. The drain comes first, if the
            signal has not begun it.
            """
            owned.push_async_callback(code.close)
            code.open()
            await engine.launch()
            owned.push_async_callback(engine.close)
            for job in (look_after_servers, *jobs):
                job.start()
                owned.push_async_callback(job.close)
            owned.push_async_callback(_drain, api.state, workflow, settings.drain_timeout_s)

        looking: Periodic = api.state.streams.looking
        looking.start()  # also for the runs that the former process ends
        stack.push_async_callback(looking.close)
        succession: Succession = api.state.succession
        await stack.enter_async_context(succession.owning(own, uses_max_s=settings.drain_timeout_s))
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
    state.billing = BillingClient(
        pool, tokens, base_url=settings.billing_service_url, timeouts=Timeouts(connect_s=2, first_byte_s=5)
    )


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
        keep_warm=settings.code_keep_warm,
        uid_first=settings.code_uid_first,
    )


def _build_runs(
    state: State, engine: DurableEngine, pool: UpstreamPool, settings: AgentSettings, stack: AsyncExitStack
) -> tuple[RunWorkflow, list[Periodic]]:
    """The objects of agents and runs, and their periodic jobs."""
    database: Database = state.database
    owner, live, sources, flushes = str(uuid7()), LiveRuns(), AgentSources(state.retrieval), TaskTracker()
    stack.push_async_callback(flushes.drain, 5)
    costs = Costs(database, state.billing, settings)
    windows = ModelWindows(
        pool,
        state.service_tokens,
        base_url=settings.inference_service_url,
        connect_timeout_s=settings.provider_connect_timeout_s,
        tokens_max=settings.prompt_tokens_max,
    )
    models = ModelSteps(
        database, state.completions, state.toolbox, windows=windows, tasks=flushes, settings=settings
    )
    tools = ToolSteps(database, state.toolbox, settings)
    workflow = RunWorkflow(
        database, models, tools, costs=costs, live=live, owner=owner, settings=settings, metrics=state.metrics
    )
    engine.register(RUN, workflow.run)
    sweeper = Sweeper(database, engine, live, owner=owner)
    state.field_checks = FieldChecks(state.toolbox, sources, settings)
    state.runs = RunService(database, engine, live, sources=sources, settings=settings)
    state.streams = streams = RunStreams(database, live, settings)
    state.metrics.gauge("agent_streams_open", "Event streams that readers hold open").set_function(
        lambda: len(streams.open)
    )

    state.erasures = Erasures(database, BELONGINGS)
    state.retention = retention(database, engine, settings, state.metrics)
    return workflow, [
        Periodic("runs to stop", settings.cancel_poll_s, sweeper.stop_cancelled),
        Periodic("run sweeper", settings.sweep_interval_s, sweeper.sweep),
        Periodic("run costs", settings.cost_interval_s, costs.check_due),
        Periodic("old costs", _OLD_COSTS_S, costs.drop_old_checks),
        state.erasures.job(),
        state.retention.job(),
    ]


async def _end_access(state: State, end: AccessEnd) -> None:
    """What runs for somebody who may no longer run it: agents and code."""
    await state.code.end_access(end)
    await state.runs.end_access(end)


def _begin_drain(state: State, workflow: RunWorkflow, timeout_s: float) -> None:
    state.tasks.spawn(_drain(state, workflow, timeout_s), name="drain")


async def _drain(state: State, workflow: RunWorkflow, timeout_s: float) -> None:
    """Take no more runs and let go of those there are; they go on in the next process."""
    state.draining = state.runs.draining = True
    await workflow.drain(timeout_s)
    state.streams.close()


def create_app(settings: AgentSettings | None = None, *, toolbox: Toolbox | None = None) -> ServiceApp:
    """The service as an ASGI callable. `toolbox`: other tools than those of the settings."""
    app = create_service_app(
        settings or load_settings_or_exit(AgentSettings),
        title="Atrium agent-service",
        lifespan=lifespan,
        # Routes with fixed names before those of agents, whose ids are UUIDs.
        routers=[
            caller_router("/api/v1/agents"),
            code_router,
            tools_router,
            mcp_router,
            runs_router,
            internal_runs_router,
            agents_router,
        ],
        readiness={"database": check_database},
        body_bytes_max=BODY_BYTES_MAX,
    )
    app.state.toolbox = toolbox
    return app
