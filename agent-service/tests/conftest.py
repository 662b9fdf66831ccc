"""What the tests of agents and runs need: scripted inference, retrieval and billing services, and running
services.
"""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
import runs_service
from agent_runs import Others, Person, Processes, Service, breaks_after, calls, refuses, says, text_of
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from identities import KeyRing
from servers import serve
from suite.waiting import eventually


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_others() -> AsyncGenerator[tuple[Others, str]]:
    fake = Others()
    async with serve(fake, lifespan="off") as base_url:
        yield fake, base_url


@pytest.fixture
def others(served_others: tuple[Others, str]) -> Others:
    """The other services, with nothing left of the test before."""
    fake, _ = served_others
    fake.__init__()
    return fake


@pytest.fixture(scope="module")
def runs_fields(service_database: Any, keys: KeyRing, served_others: tuple[Others, str]) -> dict[str, Any]:
    """Settings for tests: everything that waits, waits briefly."""
    _, base_url = served_others
    return {
        **keys.settings_fields("agent-service", database_url=service_database("agent-service").app_url),
        "inference_service_url": base_url,
        "retrieval_service_url": base_url,
        "billing_service_url": base_url,
        "model_retry_max_s": 0.2,
        "provider_connect_wait_max_s": 0.5,
        "cost_interval_s": 0.2,
        "sweep_interval_s": 0.3,
        "cancel_poll_s": 0.2,
        "event_interval_s": 0.03,
        "stop_cost_wait_s": 0.5,
        "drain_timeout_s": 0.5,
        "code_enabled": False,
        "run_file_max_bytes": 1000,
        "run_files_max_bytes": 2000,
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    runs_fields: dict[str, Any], keys: KeyRing, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Service]:
    """One service for the tests of a module."""
    log = tmp_path_factory.mktemp("runs") / "log"
    app = create_app(AgentSettings(**runs_fields), toolbox=runs_service.ScriptedToolbox(log))
    async with serve(app) as base_url:
        running = Service(base_url, app, keys, log)
        yield running
        for person in running.people:
            await person.http.aclose()


@pytest.fixture
def person(service: Service, others: Others) -> Person:
    """A new person; asks for `others` so that they start afresh."""
    service.log.write_text("")
    return service.person()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made_processes(
    runs_fields: dict[str, Any], keys: KeyRing, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Processes]:
    running = Processes(keys, runs_fields, tmp_path_factory.mktemp("processes") / "log")
    yield running
    await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def processes(made_processes: Processes, others: Others) -> AsyncGenerator[Processes]:
    """Nothing runs yet, and the log is empty; asks for `others` so that they start afresh."""
    made_processes.log.write_text("")
    yield made_processes
    await made_processes.kill()


@pytest.fixture(scope="session")
def play() -> Any:
    """The plans a test gives to the scripted inference-service, and ways to read what came of them."""

    class Plans:
        pass

    for item in (says, calls, refuses, breaks_after, text_of):
        setattr(Plans, item.__name__, staticmethod(item))
    Plans.until = staticmethod(eventually)
    return Plans
