"""Composition root of the inference-service."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from fastapi import FastAPI
from shared.access import access_subscriber
from shared.app.asgi import ServiceApp
from shared.app.service import create_service_app
from shared.background import Periodic
from shared.clients.billing import BillingClient
from shared.contracts.billing import CHECKPOINT_INTERVAL_S
from shared.db import Database, check_schema, create_raw_pool
from shared.http import Timeouts, UpstreamPool
from shared.metrics import Metrics
from shared.operations import check_database
from shared.settings import load_settings_or_exit
from starlette.datastructures import State

from inference_service.catalogue.endpoints import internal_router as windows_router
from inference_service.catalogue.endpoints import router as catalogue_router
from inference_service.catalogue.prices import PriceList
from inference_service.catalogue.service import Catalogue
from inference_service.catalogue.windows import Windows
from inference_service.completions.admission import Admission
from inference_service.completions.endpoints import ROUTE as CHAT_ROUTE
from inference_service.completions.service import Completions, TimeLimits
from inference_service.embed_worker.client import EmbedWorker
from inference_service.embeddings.endpoints import ROUTE as EMBEDDINGS_ROUTE
from inference_service.embeddings.service import Embeddings
from inference_service.metering.free_use import FreeUse
from inference_service.metering.jobs import DELIVERY_INTERVAL_S, Checkpointer, Delivery
from inference_service.metering.meter import Meter
from inference_service.metering.repository import SettlementQueue
from inference_service.providers.adapters.embed_worker import EmbedWorkerProvider
from inference_service.providers.discovery import TICK_S, Discovery
from inference_service.providers.endpoints import router as providers_router
from inference_service.providers.pseudonyms import Pseudonyms
from inference_service.providers.registry import DISCOVERY_TIMEOUT_S, build_providers
from inference_service.providers.transport import Transport
from inference_service.rerank.endpoints import ROUTE as RERANK_ROUTE
from inference_service.rerank.service import Reranking
from inference_service.retention.purges import retention
from inference_service.settings import SCHEMA_VERSION, InferenceSettings

SCHEMA = "inference"
HOT_ROUTES = (CHAT_ROUTE, EMBEDDINGS_ROUTE, RERANK_ROUTE)


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Open what the service owns, and close it after the drain, in reverse."""
    settings: InferenceSettings = api.state.settings
    async with AsyncExitStack() as stack:
        await _open_database(api.state, settings, stack)
        pool = UpstreamPool()
        stack.push_async_callback(pool.aclose)
        meter, billing = await _open_metering(api.state, settings, pool, stack)
        catalogue = await _open_models(api.state, settings, pool, stack)
        limits = TimeLimits(stream_s=settings.stream_timeout_s, whole_s=settings.answer_timeout_s)
        api.state.completions = Completions(
            catalogue, meter, _admission(settings), limits, settings.drain_kinds()
        )
        api.state.embeddings = Embeddings(catalogue, meter)
        api.state.reranking = Reranking(catalogue, meter, api.state.embed_worker)
        api.state.prices = PriceList(billing)
        access = api.state.access = access_subscriber(
            settings.database_url.get_secret_value(),
            service=settings.service,
            end_work=api.state.completions.end_access,
        )
        access.start()
        stack.push_async_callback(access.close)
        for job in _jobs(api.state, meter, billing, settings):
            job.start()
            stack.push_async_callback(job.close)
        yield


def _billing_timeouts(settings: InferenceSettings) -> Timeouts:
    seconds = settings.billing_timeout_s
    return Timeouts(connect_s=min(seconds, 2.0), first_byte_s=seconds, idle_s=seconds, write_s=seconds)


def _admission(settings: InferenceSettings) -> Admission:
    # The signing key is a secret that every installation has; what is derived from it tells nothing about it.
    secret = settings.service_signing_key.get_secret_value().encode()
    return Admission(settings.chat_members(), Pseudonyms(secret), settings.output_tokens_default)


async def _open_database(state: State, settings: InferenceSettings, stack: AsyncExitStack) -> None:
    url = settings.database_url.get_secret_value()
    state.database = Database(url, schema=SCHEMA, pool_max=1)
    stack.push_async_callback(state.database.dispose)
    await check_schema(state.database, service=settings.service, code_version=SCHEMA_VERSION)
    raw = await create_raw_pool(
        url, schema=SCHEMA, size_min=1, size_max=max(1, settings.database_pool_max - 1)
    )
    stack.push_async_callback(raw.close)
    state.settlements = SettlementQueue(raw)


async def _open_metering(
    state: State, settings: InferenceSettings, pool: UpstreamPool, stack: AsyncExitStack
) -> tuple[Meter, BillingClient]:
    billing = BillingClient(
        pool,
        state.service_tokens,
        base_url=settings.billing_service_url,
        timeouts=_billing_timeouts(settings),
    )
    free_use = FreeUse(
        parallel_max=settings.free_model_parallel_max, per_minute_max=settings.free_model_per_minute_max
    )
    state.meter = Meter(billing, state.settlements, state.tasks, free_use)
    return state.meter, billing


async def _open_models(
    state: State, settings: InferenceSettings, pool: UpstreamPool, stack: AsyncExitStack
) -> Catalogue:
    transport = Transport(
        pool,
        stream_timeouts=Timeouts(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_token_timeout_s,
            idle_s=settings.token_timeout_s,
        ),
        answer_timeouts=Timeouts(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.answer_timeout_s,
            idle_s=settings.token_timeout_s,
        ),
        discovery_timeouts=Timeouts(
            connect_s=settings.connect_timeout_s, first_byte_s=DISCOVERY_TIMEOUT_S, idle_s=DISCOVERY_TIMEOUT_S
        ),
    )
    folder = settings.embedding_model_path or settings.atrium_home
    worker = EmbedWorker(folder, threads=settings.embedding_threads, idle_s=settings.embedding_idle_s)
    worker.start()
    stack.push_async_callback(worker.close)
    state.embed_worker = worker
    providers = build_providers(
        settings, transport, EmbedWorkerProvider(worker, model=settings.embedding_model)
    )
    state.discovery = Discovery(providers, interval_s=settings.discovery_interval_s, tasks=state.tasks)
    state.catalogue = Catalogue(
        state.discovery, Windows(settings.model_windows(), settings.context_tokens_default)
    )
    return state.catalogue


def _jobs(state: State, meter: Meter, billing: BillingClient, settings: InferenceSettings) -> list[Periodic]:
    state.retention = retention(state.database, settings, state.metrics)
    refusals = cast("Metrics", state.metrics).counter(
        "settlements_refused", "Settlements and releases that billing will never take"
    )
    return [
        Periodic("discovery", TICK_S, state.discovery.tick),
        Periodic("checkpoint", CHECKPOINT_INTERVAL_S, Checkpointer(billing, meter).run),
        Periodic(
            "settlement delivery",
            DELIVERY_INTERVAL_S,
            Delivery(billing, meter, state.settlements, refusals=refusals).run,
        ),
        state.retention.job(),
    ]


def create_app(settings: InferenceSettings | None = None) -> ServiceApp:
    """The service as an ASGI callable."""
    return create_service_app(
        settings or load_settings_or_exit(InferenceSettings),
        title="Atrium inference-service",
        lifespan=lifespan,
        routers=[catalogue_router, windows_router, providers_router],
        hot_routes=HOT_ROUTES,
        readiness={"database": check_database},
    )
