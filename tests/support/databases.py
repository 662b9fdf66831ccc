"""One throwaway PostgreSQL for tests, and databases cloned from migrated templates."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from atrium_local.adapters.sql import admin_connection
from atrium_local.addresses import RolePasswords, role_url, with_database
from atrium_local.postgres import PostgresServer
from atrium_local.provision import create_database, provision_database, provision_roles
from atrium_local.services import SERVICES, Service, service_named
from shared.migrations import upgrade
from suite.ports import free_port

ROOT = Path(__file__).parents[2]
T = TypeVar("T")


def _outside_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, from a loop of its own: the caller may be inside a running one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A fresh database with the migrated schema of one service."""

    service: str
    name: str
    app_url: str  # role of the service: rows only
    owner_url: str  # role of migrations
    admin_url: str  # superuser, for what no service may do


class PostgresForTests:
    """The session's server: makes one template per service on first use and clones it."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.passwords = {service: RolePasswords.fresh() for service in SERVICES}
        self._templates: dict[str, str] = {}
        _outside_loop(provision_roles(server.admin_url, self.passwords))

    @property
    def admin_url(self) -> str:
        """Superuser on the maintenance database."""
        return self.server.admin_url

    def empty_database(self) -> str:
        """Superuser address of a new empty database."""
        name = f"empty_{secrets.token_hex(6)}"
        _outside_loop(create_database(self.admin_url, name))
        return with_database(self.admin_url, name)

    def clone(self, service_name: str) -> ServiceDatabase:
        """A new database with the service's schema."""
        service = service_named(service_name)
        template = self._templates.get(service_name) or self._make_template(service)
        name = f"{service.schema}_{secrets.token_hex(6)}"
        # Files are copied for half the work of the default, which writes every page to the log as well.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self._describe(service, name)

    def drop(self, database: ServiceDatabase) -> None:
        """Drop it, closing what is still connected."""
        self._execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")

    def _make_template(self, service: Service) -> str:
        name = f"template_{service.schema}"
        _outside_loop(create_database(self.admin_url, name))
        _outside_loop(provision_database(self.admin_url, name, [service]))
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(upgrade, ROOT / service.name, self._describe(service, name).owner_url).result()
        self._templates[service.name] = name
        return name

    def _describe(self, service: Service, name: str) -> ServiceDatabase:
        passwords = self.passwords[service]
        return ServiceDatabase(
            service=service.name,
            name=name,
            app_url=role_url(self.admin_url, name, role=service.app_role, password=passwords.app),
            owner_url=role_url(self.admin_url, name, role=service.owner_role, password=passwords.owner),
            admin_url=with_database(self.admin_url, name),
        )

    def _execute(self, statement: str) -> None:
        async def run() -> None:
            async with admin_connection(self.admin_url) as connection:
                await connection.execute(statement)

        _outside_loop(run())


@contextmanager
def throwaway_postgres(folder: Path) -> Iterator[PostgresForTests]:
    """A real PostgreSQL without fsync while the block runs."""
    server = PostgresServer(
        data_dir=folder / "data",
        port=free_port(),
        password=secrets.token_urlsafe(16),
        log_path=folder / "server.log",
        throwaway=True,
    )
    server.initialise()
    server.start()
    try:
        yield PostgresForTests(server)
    finally:
        server.stop()


@contextmanager
def fresh_databases(postgres: PostgresForTests) -> Iterator[Callable[[str], ServiceDatabase]]:
    """A factory: `make("billing-service")` gives a fresh migrated database, dropped after the block."""
    made: list[ServiceDatabase] = []

    def make(service_name: str) -> ServiceDatabase:
        made.append(postgres.clone(service_name))
        return made[-1]

    try:
        yield make
    finally:
        for database in made:
            postgres.drop(database)
