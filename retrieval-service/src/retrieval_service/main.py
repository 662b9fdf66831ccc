"""Composition root of the retrieval-service."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from shared.access import access_subscriber
from shared.app.asgi import ServiceApp
from shared.app.caller import caller_router
from shared.app.service import create_service_app
from shared.background import Periodic
from shared.clients.inference import InferenceClient
from shared.clock import utc_now
from shared.db import Database, check_schema
from shared.durable import DurableEngine
from shared.erasure import Erasures
from shared.http import Timeouts, UpstreamPool
from shared.operations import check_database
from shared.settings import load_settings_or_exit
from shared.succession import Succession
from starlette.datastructures import State

from retrieval_service.chunks.endpoints import router as chunks_router
from retrieval_service.files.access import AccessEnds
from retrieval_service.files.endpoints import router as files_router
from retrieval_service.files.enqueue import Enqueuer
from retrieval_service.files.knowledge_endpoints import router as knowledge_files_router
from retrieval_service.files.quota import FileQuota
from retrieval_service.files.receiving import FORM_BYTES_MAX, FileReceiver
from retrieval_service.files.removal import DeletedFile, Removal, Remover
from retrieval_service.ingestion.embedding import Embedder
from retrieval_service.ingestion.reading import DocumentReader
from retrieval_service.ingestion.sweeper import IngestionSweeper
from retrieval_service.ingestion.workflow import Ingestion
from retrieval_service.knowledge.endpoints import router as knowledge_router
from retrieval_service.objects.choice import open_object_store
from retrieval_service.objects.port import ObjectStore
from retrieval_service.parsing.jail_check import JailCheck
from retrieval_service.reconciliation.endpoints import router as reconciliation_router
from retrieval_service.reconciliation.service import Reconciler
from retrieval_service.retention.erasure import BELONGINGS
from retrieval_service.retention.purges import retention
from retrieval_service.search.endpoints import router as search_router
from retrieval_service.search.questions import Questions
from retrieval_service.search.service import Searcher
from retrieval_service.settings import SCHEMA_VERSION, RetrievalSettings
from retrieval_service.uploads.assembly import Assembler
from retrieval_service.uploads.endpoints import router as uploads_router
from retrieval_service.uploads.service import UploadLimits, UploadService, reserved
from retrieval_service.uploads.sweeper import UploadSweeper
from retrieval_service.vectors.choice import open_vector_store
from retrieval_service.vectors.port import VectorStore

SCHEMA = "retrieval"
_DURABLE_SCHEMA = "retrieval_dbos"
_WORKFLOW_VERSION = "1"
"""Raised when the steps of the workflows change: unfinished ones of another version then start again."""

_PURGE_S = 3600
_CUT_WRITE_AFTER = timedelta(hours=1)
_SWEEP_S = 60
# Of the other jobs: they look for what somebody waits for, this one for what nobody came back to in a day.
_RARELY = 15
_LOOK_S = 60


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Open what the service owns, and close it after the drain, last opened first."""
    settings: RetrievalSettings = api.state.settings
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_url.get_secret_value(), schema=SCHEMA, pool_max=settings.database_pool_max
        )
        stack.push_async_callback(database.dispose)
        api.state.database = database
        await check_schema(database, service=settings.service, code_version=SCHEMA_VERSION)
        api.state.objects = objects = _open_objects(settings)
        api.state.jail_check = jail_check = JailCheck(
            folder=settings.atrium_home / "data" / "reading", confined=settings.parser_confinement == "full"
        )
        pool = UpstreamPool()
        stack.push_async_callback(pool.aclose)
        engine = _engine(settings)
        api.state.vectors = vectors = _open_vectors(settings)
        ingestion, ingestion_jobs = _wire_ingestion(api.state, database, engine, pool, settings)

        async def remove_passages(file: DeletedFile) -> None:
            await ingestion.remove(file.collection, file.id)

        api.state.searcher = _searcher(api.state, pool, settings)
        file_jobs = _wire_files(
            api.state, database, objects, settings, ingestion=ingestion, removals=[remove_passages]
        )
        api.state.reconciler = reconciler = Reconciler(
            database, vectors, objects, grace_s=settings.reconciliation_grace_s
        )
        reconciling = Periodic(
            "reconciliation", settings.reconciliation_interval_s, reconciler.run_periodically
        )
        looking = Periodic("self-test of the reader", _LOOK_S, jail_check.look)
        url = settings.database_url.get_secret_value()
        api.state.erasures = erasures = Erasures(database, BELONGINGS)
        end_work = erasures.after(AccessEnds(database).end)
        api.state.access = access = access_subscriber(url, service=settings.service, end_work=end_work)
        api.state.retention = retention(database, engine, settings, api.state.metrics)
        access.start()
        stack.push_async_callback(access.close)

        async def own(owned: AsyncExitStack) -> None:
            """The folder of vectors and the workflows have one owner; the jobs work on both."""
            await vectors.open()
            owned.push_async_callback(vectors.close)
            await engine.launch()
            owned.push_async_callback(engine.close)
            owned.push_async_callback(ingestion.close)
            ends = [erasures.job(), api.state.retention.job()]
            for job in [*file_jobs, *ingestion_jobs, reconciling, looking, *ends]:
                job.start()
                owned.push_async_callback(job.close)

        succession: Succession = api.state.succession
        await stack.enter_async_context(succession.owning(own))
        yield


def _open_objects(settings: RetrievalSettings) -> ObjectStore:
    return open_object_store(
        url=settings.object_store_url,
        default_folder=settings.atrium_home / "data" / "objects",
        s3_region=settings.s3_region,
        s3_endpoint=settings.s3_endpoint_url,
        s3_access_key_id=settings.s3_access_key_id,
        s3_secret_access_key=settings.s3_secret_access_key,
    )


def _open_vectors(settings: RetrievalSettings) -> VectorStore:
    return open_vector_store(
        name=settings.vector_db,
        folder=settings.atrium_home / "data" / "vectors",
        qdrant_url=settings.qdrant_url,
        qdrant_api_key=settings.qdrant_api_key,
        chroma_url=settings.chroma_url,
    )


def _wire_ingestion(
    state: State, database: Database, engine: DurableEngine, pool: UpstreamPool, settings: RetrievalSettings
) -> tuple[Ingestion, list[Periodic]]:
    """The workflow, registered before the engine is launched, and what keeps its house."""
    state.inference = inference = InferenceClient(
        pool,
        state.service_tokens,
        base_url=settings.inference_service_url,
        timeouts=Timeouts(connect_s=2, first_byte_s=settings.embedding_timeout_s),
    )
    state.embedder = embedder = Embedder(
        database,
        inference,
        model=settings.embedding_model,
        answer_max_s=settings.embedding_timeout_s,
        wait_max_s=settings.embedding_wait_max_s,
        cache_rows_max=settings.embedding_cache_rows_max,
        cache_days=settings.embedding_cache_days,
    )
    state.ingestion = ingestion = Ingestion(
        database,
        engine,
        reader=DocumentReader(database, state.objects, settings),
        embedder=embedder,
        vectors=state.vectors,
        batch_chunks=settings.ingestion_batch_chunks,
        concurrency=settings.ingestion_concurrency,
    )
    ingestion.register()
    state.ingestion_sweeper = sweeper = IngestionSweeper(
        database, engine, ingestion, stale_s=settings.ingestion_stale_s
    )
    return ingestion, [
        Periodic("lost ingestions", _SWEEP_S, sweeper.run),
        Periodic("cached vectors", _PURGE_S, embedder.purge_cache),
    ]


def _searcher(state: State, pool: UpstreamPool, settings: RetrievalSettings) -> Searcher:
    """Its calls to inference give up sooner than those of ingestion, and go before them: a person waits."""
    inference = InferenceClient(
        pool,
        state.service_tokens,
        base_url=settings.inference_service_url,
        timeouts=Timeouts(connect_s=2, first_byte_s=settings.search_inference_timeout_s),
        priority="interactive",
    )
    questions = Questions(inference, model=settings.embedding_model)
    mode = "hybrid" if settings.enable_rag_hybrid_search else "dense"
    return Searcher(state.database, state.vectors, questions, default_mode=mode)


def _engine(settings: RetrievalSettings) -> DurableEngine:
    return DurableEngine(
        service=settings.service,
        database_url=settings.database_url.get_secret_value(),
        schema=_DURABLE_SCHEMA,
        version=_WORKFLOW_VERSION,
        executor_id=settings.executor_id,
    )


def _wire_files(
    state: State,
    database: Database,
    objects: ObjectStore,
    settings: RetrievalSettings,
    *,
    ingestion: Ingestion,
    removals: list[Removal],
) -> list[Periodic]:
    """Files and uploads: their objects for the endpoints, and their jobs. The stored bytes are
    removed last.
    """
    state.quota = quota = FileQuota(
        files_max=settings.file_quota_files,
        bytes_max=settings.file_quota_bytes,
        file_bytes_max=settings.file_size_max_bytes,
        reserved=reserved,
    )
    state.enqueuer = enqueuer = Enqueuer(
        database,
        ingestion.begin,
        ingestion.running,
        concurrency=settings.ingestion_concurrency,
        interval_s=settings.file_jobs_interval_s,
    )
    ingestion.when_ended = enqueuer.look_soon
    state.receiver = FileReceiver(database, objects, quota, enqueuer)
    assembler = Assembler(database, objects, quota, enqueuer)
    limits = UploadLimits(
        chunk_bytes_max=settings.upload_chunk_max_bytes,
        idle_max=timedelta(seconds=settings.upload_idle_max_s),
        open_per_user_max=settings.uploads_open_per_user_max,
    )
    state.uploads = UploadService(database, objects, quota, assembler, limits)
    uploads = UploadSweeper(database, objects, assembler)

    async def remove_object(file: DeletedFile) -> None:
        await objects.delete(file.s3_key)

    state.remover = remover = Remover(database, [*removals, remove_object])

    async def purge_strays() -> None:
        await uploads.purge_strays()
        await objects.sweep(utc_now() - _CUT_WRITE_AFTER)

    state.purge_strays = purge_strays
    return [
        Periodic("ingestion of waiting files", 0, enqueuer.run),  # it waits by itself, until it is woken
        Periodic("removal of deleted files", settings.file_jobs_interval_s, remover.run),
        Periodic("complete uploads", settings.file_jobs_interval_s, uploads.finish_complete),
        Periodic("expired uploads", settings.file_jobs_interval_s * _RARELY, uploads.purge_expired),
        Periodic("stray objects", _PURGE_S, purge_strays),
    ]


async def _check_objects(state: State) -> None:
    await state.objects.check()


async def _check_vectors(state: State) -> None:
    if not state.succession.waits:
        await state.vectors.check()


async def _check_reader(state: State) -> str | None:
    """Searches work where no file can be read, so this makes nothing unready."""
    return state.jail_check.reason


def create_app(settings: RetrievalSettings | None = None) -> ServiceApp:
    """The service as an ASGI callable."""
    settings = settings or load_settings_or_exit(RetrievalSettings)
    return create_service_app(
        settings,
        title="Atrium retrieval-service",
        lifespan=lifespan,
        routers=[
            caller_router("/api/v1/retrieval"),
            files_router,
            chunks_router,
            uploads_router,
            knowledge_router,
            knowledge_files_router,
            search_router,
            reconciliation_router,
        ],
        readiness={
            "database": check_database,
            "objects": _check_objects,
            "vectors": _check_vectors,
            "reader": _check_reader,
        },
        body_bytes_max_below={
            # A little more than the largest file, whose own refusal says what to do.
            "/api/v1/retrieval/files": settings.file_size_max_bytes + 2 * FORM_BYTES_MAX,
            "/api/v1/retrieval/uploads/": settings.upload_chunk_max_bytes + FORM_BYTES_MAX,
        },
    )
