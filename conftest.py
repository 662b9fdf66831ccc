"""Fixtures for every test of the workspace: one throwaway PostgreSQL a session, databases cloned from migrated templates."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from atrium_local.adapters.sql import admin_connection
from atrium_local.addresses import RolePasswords, role_url, with_database
from atrium_local.postgres import PostgresServer
from atrium_local.provision import create_database, provision_database, provision_roles
from atrium_local.services import SERVICES, Service, service_named
from shared.migrations import upgrade
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent
T = TypeVar("T")


def _outside_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result, from a loop of its own: the caller may be inside a running one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


# The long ones, as what comes last should be short; the others follow by the number of their tests, which these have few of.
_FIRST = (
    "faults",
    "platform",
    "retrieval-service/tests/test_ingestion.py",
    "tests/test_plain_environment.py",
    "agent-service/tests/test_runs_crash.py",
    "agent-service/tests/test_runs_upgrade.py",
    "inference-service/tests/test_embedding_turns.py",
    "inference-service/tests/test_local_privacy.py",
    "inference-service/tests/test_embeddings.py",
    "deployments/local/tests/test_replacing.py",
    "deployments/local/tests/test_commands.py",
    "shared/tests/test_durable_upgrades.py",
    "chat-service/tests/test_crash.py",
    "chat-service/tests/others/test_takeover.py",
    "retrieval-service/tests/files/test_files_on_s3.py",
    "retrieval-service/tests/test_turns.py",
    "retrieval-service/tests/test_access.py",
    "inference-service/tests/test_embed_worker.py",
    "chat-service/tests/test_owners.py",
    "agent-service/tests/test_runs_outage.py",
)


def _share_of_work(nodeid: str) -> str:
    """What one worker runs as a whole: everything that shares a platform, other tests by file."""
    file = nodeid.partition("::")[0]
    if file.startswith("tests/faults/"):
        return "faults"  # a platform of its own, beside the one that nobody kills
    return "platform" if file.startswith("tests/") and file.count("/") > 1 else file


class _PlatformScheduling(LoadScopeScheduling):
    """Whole shares of the work, in the order of the collected tests (`--no-loadscope-reorder`)."""

    def _split_scope(self, nodeid: str) -> str:
        return _share_of_work(nodeid)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--slow` runs the slow tests, and them alone."""
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, and no other")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests only when asked for. For several workers: the longest shares first, then those of many tests."""
    slow = bool(config.getoption("--slow"))
    others = [item for item in items if (item.get_closest_marker("slow") is not None) != slow]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(_share_of_work(item.nodeid) for item in items)

    def place(item: pytest.Item) -> tuple[int, int, str]:
        share = _share_of_work(item.nodeid)
        return _FIRST.index(share) if share in _FIRST else len(_FIRST), -sizes[share], share

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)  # by xdist, and not without it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _PlatformScheduling:
    """Groups by marker would do, if they reached the scheduler: xdist 3.8 writes them where pytest 9.2 does not look."""
    return _PlatformScheduling(config, log)


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
        self._passwords = {service: RolePasswords.fresh() for service in SERVICES}
        self._templates: dict[str, str] = {}
        _outside_loop(provision_roles(server.admin_url, self._passwords))

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
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
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
        passwords = self._passwords[service]
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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresForTests]:
    """A real PostgreSQL without fsync; one for the whole test session."""
    folder = tmp_path_factory.mktemp("postgres")
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


@pytest.fixture(scope="module")
def service_database(postgres: PostgresForTests) -> Iterator[Callable[[str], ServiceDatabase]]:
    """A factory: `service_database("billing-service")` gives a fresh migrated database, dropped after the module."""
    made: list[ServiceDatabase] = []

    def make(service_name: str) -> ServiceDatabase:
        made.append(postgres.clone(service_name))
        return made[-1]

    yield make
    for database in made:
        postgres.drop(database)
