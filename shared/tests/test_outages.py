"""What counts as a database that is away, and what a client hears of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, FastAPI
from identities import KeyRing, make_principal
from shared.app.asgi import ServiceApp
from shared.app.service import create_service_app
from shared.auth.permissions import Permission
from shared.db import Database
from shared.hotroutes import HotRequest, HotRoute
from shared.outages import is_outage
from shared.settings import ServiceSettings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

KEYS = KeyRing()
Fault = Callable[[Database, AsyncSession], Awaitable[None]]


class EchoSettings(ServiceSettings):
    service = "inference-service"


@pytest.fixture
async def database(postgres: Any) -> AsyncIterator[Database]:
    database = Database(postgres.empty_database(), schema="public")
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE thing (id int PRIMARY KEY)"))
        await session.execute(text("INSERT INTO thing VALUES (1), (2)"))
    yield database
    await database.dispose()


async def slow_statement(_: Database, session: AsyncSession) -> None:
    await session.execute(text("SET LOCAL statement_timeout = 20"))
    await session.execute(text("SELECT pg_sleep(5)"))


async def locked_row(database: Database, session: AsyncSession) -> None:
    async with database.transaction() as other:
        await other.execute(text("SELECT * FROM thing WHERE id = 1 FOR UPDATE"))
        await session.execute(text("SET LOCAL lock_timeout = 20"))
        await session.execute(text("SELECT * FROM thing WHERE id = 1 FOR UPDATE"))


async def killed_connection(database: Database, session: AsyncSession) -> None:
    pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with database.transaction() as other:
        await other.execute(text(f"SELECT pg_terminate_backend({pid})"))
    await session.execute(text("SELECT 1"))


async def out_of_space(_: Database, session: AsyncSession) -> None:
    await session.execute(
        text("DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$")
    )


async def nul_in_text(_: Database, session: AsyncSession) -> None:
    await session.execute(text("SELECT CAST(:value AS text)"), {"value": "a\x00b"})


async def nul_in_json(_: Database, session: AsyncSession) -> None:
    await session.execute(text("SELECT CAST(:value AS jsonb) ->> 'a'"), {"value": '{"a": "\\u0000"}'})


async def wrong_statement(_: Database, session: AsyncSession) -> None:
    await session.execute(text("SELECT 1 / 0"))


AWAY = [slow_statement, locked_row, killed_connection, out_of_space]


@pytest.mark.parametrize("fault", AWAY)
async def test_a_database_that_cannot_answer_now_is_an_outage(database: Database, fault: Fault) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as session:
            await fault(database, session)
    assert is_outage(caught.value)


async def test_a_wrong_statement_is_none(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.transaction() as session:
            await wrong_statement(database, session)
    assert not is_outage(caught.value)


def test_the_driver_that_lost_its_protocol_is_an_outage() -> None:
    assert is_outage(asyncpg.InternalClientError("got result for unknown protocol state"))
    assert is_outage(asyncpg.InterfaceError("connection is closed"))


def service_over(database: Database, fault: Fault) -> ServiceApp:
    router = APIRouter()

    @router.get("/api/v1/thing")
    async def thing() -> None:
        async with database.transaction() as session:
            await fault(database, session)

    async def hot_thing(_: HotRequest) -> None:
        await thing()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    hot = HotRoute("GET", "/v1/thing", hot_thing, "A thing", permission=Permission.MODELS_USE)
    settings = EchoSettings(**KEYS.settings_fields("inference-service", database_url="postgresql://unused"))
    return create_service_app(
        settings, title="Outages", lifespan=lifespan, routers=[router], hot_routes=[hot]
    )


@pytest.mark.parametrize("path", ["/api/v1/thing", "/v1/thing"])
@pytest.mark.parametrize("fault", AWAY)
async def test_a_client_hears_503_and_when_to_come_back(database: Database, fault: Fault, path: str) -> None:
    transport = httpx.ASGITransport(app=service_over(database, fault))
    async with httpx.AsyncClient(timeout=60, transport=transport, base_url="http://service") as client:
        answer = await client.get(path, headers=KEYS.user_headers(make_principal()))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    body = answer.json()
    assert body.get("error", body)["code"] == "database_down"


@pytest.mark.parametrize("path", ["/api/v1/thing", "/v1/thing"])
@pytest.mark.parametrize("fault", [nul_in_text, nul_in_json])
async def test_text_that_cannot_be_stored_is_the_clients_mistake(
    database: Database, fault: Fault, path: str
) -> None:
    transport = httpx.ASGITransport(app=service_over(database, fault))
    async with httpx.AsyncClient(timeout=60, transport=transport, base_url="http://service") as client:
        answer = await client.get(path, headers=KEYS.user_headers(make_principal()))
    body = answer.json()
    assert (answer.status_code, body.get("error", body)["code"]) == (
        400 if path.startswith("/v1") else 422,
        "invalid_text",
    )
