"""Composition root of the retrieval-service."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from shared.app import ServiceApp, check_database, create_service_app
from shared.db import Database, check_schema
from shared.settings import load_settings_or_exit

from retrieval_service.identity.endpoints import router as identity_router
from retrieval_service.settings import SCHEMA_VERSION, RetrievalSettings

SCHEMA = "retrieval"


@asynccontextmanager
async def lifespan(api: FastAPI) -> AsyncGenerator[None]:
    """Open what the service owns, and close it after the drain."""
    settings: RetrievalSettings = api.state.settings
    database = Database(settings.database_url.get_secret_value(), schema=SCHEMA, pool_max=settings.database_pool_max)
    api.state.database = database
    try:
        await check_schema(database, service=settings.service, code_version=SCHEMA_VERSION)
        yield
    finally:
        await database.dispose()


def create_app(settings: RetrievalSettings | None = None) -> ServiceApp:
    """The service as an ASGI callable."""
    return create_service_app(
        settings or load_settings_or_exit(RetrievalSettings),
        title="Atrium retrieval-service",
        lifespan=lifespan,
        routers=[identity_router],
        readiness={"database": check_database},
    )
