"""Fixtures for every test of the workspace: one throwaway PostgreSQL a session, databases cloned from
migrated templates.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from databases import PostgresForTests, ServiceDatabase
    from redis_world import RedisServer


# The long ones, as what comes last should be short; the others follow by the number of their tests, which
# these have few of.
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
    """Slow tests only when asked for. For several workers: the longest shares first, then those of many
    tests.
    """
    _let_examples_take_their_time()
    _read_certificates_once()
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


def _let_examples_take_their_time() -> None:
    """A busy machine is no reason to fail. Only where a collected test has loaded Hypothesis, which takes
    half a second.
    """
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is not None:
        hypothesis.settings.register_profile(
            "calm", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
        )
        hypothesis.settings.load_profile("calm")


def _read_certificates_once() -> None:
    """Each client reads the machine's certificates, 25 ms of work, and the suite makes thousands that speak
    plain HTTP.
    """
    transports = sys.modules.get("httpx._transports.default")
    if transports is not None:
        transports.create_ssl_context = cache(transports.create_ssl_context)


@pytest.hookimpl(optionalhook=True)  # by xdist, and not without it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _PlatformScheduling:
    """Groups by marker would do, if they reached the scheduler: xdist 3.8 writes them where pytest 9.2 does
    not look.
    """
    return _PlatformScheduling(config, log)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresForTests]:
    """A real PostgreSQL without fsync; one for the whole test session."""
    # Loaded by the first test that needs it: the supervisor, SQLAlchemy and Alembic take two seconds, and
    # many tests none of them.
    databases = importlib.import_module("databases")
    with databases.throwaway_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="module")
def service_database(postgres: PostgresForTests) -> Iterator[Callable[[str], ServiceDatabase]]:
    """A factory: `service_database("billing-service")` gives a fresh migrated database, dropped after the
    module.
    """
    with importlib.import_module("databases").fresh_databases(postgres) as make:
        yield make


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Valkey; one for the whole test session."""
    with importlib.import_module("redis_world").running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis with nothing in it."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url
