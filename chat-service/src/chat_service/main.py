"""Composition root of the chat-service."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from shared.access import access_subscriber
from shared.app.asgi import ServiceApp
from shared.app.service import create_service_app
from shared.auth.tokens import ServiceTokens
from shared.background import Periodic
from shared.clients.agents import AgentClient
from shared.clients.billing import BillingClient
from shared.clients.completions import Completions
from shared.clients.retrieval import RetrievalClient
from shared.clients.windows import ModelWindows
from shared.db import Database, check_schema
from shared.erasure import Erasures
from shared.http import Timeouts, UpstreamPool
from shared.ids import uuid7
from shared.operations import check_database
from shared.settings import load_settings_or_exit
from shared.shutdown import on_shutdown_signal
from shared.subscriber import Subscriber
from starlette.datastructures import State

from chat_service.agent_runs.cancellations import RunCancellations
from chat_service.agent_runs.deletions import RunDeletions
from chat_service.chats.endpoints import router as chats_router
from chat_service.chats.message_endpoints import router as messages_router
from chat_service.recovery.sweeper import HEARTBEATS_A_LEASE, Sweeper
from chat_service.references.service import References
from chat_service.retention.erasure import BELONGINGS
from chat_service.retention.purges import retention
from chat_service.settings import SCHEMA_VERSION, ChatSettings
from chat_service.streams.journal import Journal
from chat_service.streams.mirrors import RunMirrors
from chat_service.streams.service import ReplyStreams
from chat_service.streams.signals import Signals
from chat_service.turns.endpoints import deletion_router
from chat_service.turns.endpoints import router as turns_router
from chat_service.turns.service import Others, TurnService
from chat_service.writing import repository as turn_rows
from chat_service.writing.access import AccessEnds
from chat_service.writing.closing import Closing
from chat_service.writing.costs import Costs
from chat_service.writing.histories import Histories
from chat_service.writing.lookups import LookUps
from chat_service.writing.plain import PlainWriter
from chat_service.writing.relay import AgentRelay
from chat_service.writing.runner import TurnRunner, Writers

SCHEMA = "chat"
_PURGE_S = 60
_PURGE_TURNS_MAX = 500
_DELETIONS_AGAIN_S = 5
"""A deletion is delivered at once; this is for those that were refused then."""
_LISTEN_AGAIN_S = 0.2


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Open what the service owns; close it after the drain."""
    settings: ChatSettings = api.state.settings
    database = Database(
        settings.database_url.get_secret_value(), schema=SCHEMA, pool_max=settings.database_pool_max
    )
    pool = UpstreamPool()
    api.state.database = database
    try:
        await check_schema(database, service=settings.service, code_version=SCHEMA_VERSION)
        jobs = _wire(api.state, database, pool, settings)
        for job in jobs:
            job.start()
        restore_signals = on_shutdown_signal(partial(_begin_drain, api.state, settings.drain_timeout_s))
        try:
            yield
        finally:
            restore_signals()
            for job in jobs:
                await job.close()
    finally:
        await pool.aclose()
        await database.dispose()


def _wire(
    state: State, database: Database, pool: UpstreamPool, settings: ChatSettings
) -> list[Periodic | Subscriber]:
    """Build the objects of the process and its periodic jobs."""
    billing = _billing(pool, state.service_tokens, settings)
    agents, retrieval = _clients(pool, state.service_tokens, settings)
    costs = Costs(database, billing, agents, settings)
    journal = Journal(database, owner=str(uuid7()))
    completions, windows = _inference(pool, state.service_tokens, settings)
    histories = Histories(database, windows, settings)
    references = References(retrieval, agents)
    look_ups = LookUps(retrieval, references, settings)
    cancellations = RunCancellations(database, agents, state.tasks)
    deletions = RunDeletions(database, agents, state.tasks)
    plain = PlainWriter(
        database, completions, look_ups, histories=histories, tasks=state.tasks, settings=settings
    )
    relay = AgentRelay(agents, references, cancellations, histories=histories, settings=settings)
    runner = TurnRunner(
        database,
        journal,
        writers=Writers(plain, relay),
        closing=Closing(database, cancellations, owner=journal.owner),
        costs=costs,
        tasks=state.tasks,
        metrics=state.metrics,
        settings=settings,
    )
    database_url = settings.database_url.get_secret_value()
    signals = Signals(database_url, owner=runner.owner, on_stop=runner.stop)
    state.erasures = erasures = Erasures(database, BELONGINGS)
    access = access_subscriber(
        database_url, service=settings.service, end_work=erasures.after(AccessEnds(database, runner).end)
    )
    sweeper = Sweeper(database, runner, settings)
    state.runner, state.access, state.references = runner, access, references
    others = Others(references, windows, cancellations, deletions)
    state.turns = TurnService(
        database, runner, others, histories=histories, signals=signals, settings=settings
    )
    mirrors = RunMirrors(database, agents, signals, tasks=state.tasks, settings=settings)
    state.streams = streams = ReplyStreams(database, journal, signals, mirrors=mirrors, settings=settings)
    state.metrics.gauge("chat_streams_open", "Reply streams that readers hold open").set_function(
        lambda: len(streams.open)
    )
    state.retention = retention(database, settings, state.metrics)
    state.purge = purge = _purge(database, costs, cancellations, settings)
    jobs: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
        ("journal flush", settings.journal_flush_interval_s, journal.flush),
        ("turn heartbeat", settings.turn_lease_s / HEARTBEATS_A_LEASE, runner.heartbeat),
        ("turn sweeper", settings.reaper_interval_s, sweeper.run),
        ("turn costs", settings.cost_interval_s, costs.check_due),
        ("run cancellations", settings.cost_interval_s, cancellations.run_due),
        ("run deletions", _DELETIONS_AGAIN_S, deletions.run_due),
        ("chat signals", _LISTEN_AGAIN_S, signals.listen),
        ("short-lived rows", _PURGE_S, purge),
    ]
    periodic = [Periodic(name, interval_s, work) for name, interval_s, work in jobs]
    return [access, erasures.job(), state.retention.job(), *periodic]


def _purge(
    database: Database, costs: Costs, cancellations: RunCancellations, settings: ChatSettings
) -> Callable[[], Awaitable[None]]:
    """One look for rows that are short-lived."""

    async def purge() -> None:
        await costs.drop_old_checks()
        await cancellations.purge_old()
        async with database.transaction() as session:
            await turn_rows.purge_journal(
                session, retention_s=settings.journal_retention_s, limit=_PURGE_TURNS_MAX
            )

    return purge


def _billing(pool: UpstreamPool, tokens: ServiceTokens, settings: ChatSettings) -> BillingClient:
    timeouts = Timeouts(connect_s=2, first_byte_s=5)
    return BillingClient(pool, tokens, base_url=settings.billing_service_url, timeouts=timeouts)


def _inference(
    pool: UpstreamPool, tokens: ServiceTokens, settings: ChatSettings
) -> tuple[Completions, ModelWindows]:
    connect_s = settings.provider_connect_timeout_s
    timeouts = Timeouts(
        connect_s=connect_s,
        first_byte_s=settings.provider_first_token_timeout_s,
        idle_s=settings.provider_idle_timeout_s,
    )
    base_url = settings.inference_service_url
    windows = ModelWindows(
        pool, tokens, base_url=base_url, connect_timeout_s=connect_s, tokens_max=settings.history_tokens_max
    )
    return Completions(pool, tokens, base_url=base_url, timeouts=timeouts), windows


def _clients(
    pool: UpstreamPool, tokens: ServiceTokens, settings: ChatSettings
) -> tuple[AgentClient, RetrievalClient]:
    connect_s = settings.provider_connect_timeout_s
    agents = AgentClient(
        pool,
        tokens,
        base_url=settings.agent_service_url,
        timeouts=Timeouts(connect_s=connect_s, first_byte_s=15, idle_s=settings.agent_idle_timeout_s),
    )
    retrieval = RetrievalClient(
        pool,
        tokens,
        base_url=settings.retrieval_service_url,
        timeouts=Timeouts(connect_s=connect_s, first_byte_s=settings.retrieval_timeout_s),
    )
    return agents, retrieval


def _begin_drain(state: State, timeout_s: float) -> None:
    async def drain() -> None:
        await state.runner.drain(timeout_s)
        state.streams.close()

    if not state.draining:
        state.draining = True
        state.tasks.spawn(drain(), name="drain")


def create_app(settings: ChatSettings | None = None) -> ServiceApp:
    """The service as an ASGI callable."""
    return create_service_app(
        settings or load_settings_or_exit(ChatSettings),
        title="Atrium chat-service",
        lifespan=lifespan,
        routers=[chats_router, deletion_router, messages_router, turns_router],
        readiness={"database": check_database},
    )
