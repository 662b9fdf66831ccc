"""Fixtures of the gateway's tests."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gateways.running import Gateway, Person, StartGateway, running_gateway


@pytest.fixture
def start_gateway(postgres: Any, tmp_path: Path) -> Iterator[StartGateway]:
    """A factory of running gateways, each over a fresh database unless one is given."""
    made: list[Any] = []

    @asynccontextmanager
    async def start(database: Any = None, **fields: Any) -> AsyncGenerator[Gateway]:
        if database is None:
            database = postgres.clone("gateway")
            made.append(database)
        async with running_gateway(database, **{"web_build_dir": tmp_path / "no-build", **fields}) as gateway:
            yield gateway

    yield start
    for database in made:
        postgres.drop(database)


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> AsyncIterator[Gateway]:
    async with start_gateway() as running:
        yield running


@pytest.fixture
async def admin(gateway: Gateway) -> Person:
    """The first person: the administrator."""
    return await gateway.sign_up("ada")


@pytest.fixture
async def member(gateway: Gateway, admin: Person) -> Person:
    """The second person: an ordinary user."""
    return await gateway.sign_up("grace")
