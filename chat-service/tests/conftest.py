"""A chat-service on a real port and database, in front of a scripted inference-service and
billing-service.
"""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from chat_world import (
    USAGE,
    FakeSuite,
    Service,
    Starter,
    User,
    begin,
    breaks_after,
    deltas,
    finish,
    refuses,
    says,
    take,
    text_of,
    token,
)
from identities import KeyRing
from servers import serve
from suite.waiting import eventually


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing()


@pytest.fixture(scope="module")
def database(service_database: Any) -> Any:
    return service_database("chat-service")


@pytest_asyncio.fixture(loop_scope="module")
async def admin(database: Any) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it."""
    connection = await asyncpg.connect(database.admin_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_suite() -> AsyncGenerator[tuple[FakeSuite, str]]:
    fake = FakeSuite()
    async with serve(fake, lifespan="off") as base_url:
        yield fake, base_url


@pytest.fixture
def suite(served_suite: tuple[FakeSuite, str]) -> FakeSuite:
    """The fake, with nothing left of the test before."""
    fake, _ = served_suite
    fake.__init__()
    return fake


@pytest.fixture(scope="module")
def settings_fields(database: Any, keys: KeyRing, served_suite: tuple[FakeSuite, str]) -> dict[str, Any]:
    """Settings for tests: everything that waits, waits briefly."""
    _, base_url = served_suite
    return {
        **keys.settings_fields("chat-service", database_url=database.app_url),
        "inference_service_url": base_url,
        "billing_service_url": base_url,
        "turn_lease_s": 1.5,
        "reaper_interval_s": 0.3,
        "cost_interval_s": 0.2,
        "follow_poll_s": 0.3,
        "model_retry_max_s": 0.2,
        "provider_connect_wait_max_s": 0.5,
        "drain_timeout_s": 1,
        "turns_running_per_user_max": 20,
    }


@pytest_asyncio.fixture(loop_scope="module")
async def start(settings_fields: dict[str, Any], keys: KeyRing) -> AsyncGenerator[Starter]:
    """A factory of running services that end with the test."""
    async with contextlib.AsyncExitStack() as stack:
        yield Starter(stack, settings_fields, keys)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(settings_fields: dict[str, Any], keys: KeyRing) -> AsyncGenerator[Service]:
    """One service for the tests of a module."""
    async with contextlib.AsyncExitStack() as stack:
        yield await Starter(stack, settings_fields, keys)()


@pytest.fixture
def user(service: Service, suite: FakeSuite) -> User:
    """A new person; asks for `suite` so that the fake starts afresh."""
    return service.user()


@pytest.fixture
def play() -> Any:
    """The plans a test gives to the fake inference-service."""

    class Plans:
        says = staticmethod(says)
        deltas = staticmethod(deltas)
        refuses = staticmethod(refuses)
        breaks_after = staticmethod(breaks_after)
        text_of = staticmethod(text_of)
        until = staticmethod(eventually)
        take = staticmethod(take)
        begin = staticmethod(begin)
        token = staticmethod(token)
        finish = staticmethod(finish)
        usage = USAGE

    return Plans
