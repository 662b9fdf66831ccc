"""An agent-service that runs code."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from code_runs import KEYS
from servers import serve
from shared.app.asgi import ServiceApp


@pytest.fixture(scope="module")
def app(service_database: Callable[[str], Any], pytestconfig: pytest.Config) -> ServiceApp:
    assert pytestconfig.cache is not None
    home = pytestconfig.cache.mkdir("code-sandbox-home")  # kept: building the list of fonts takes seconds
    fields = KEYS.settings_fields("agent-service", database_url=service_database("agent-service").app_url)
    return create_app(AgentSettings(**fields, atrium_home=home, code_queue_max=3, code_queue_per_user_max=2))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: ServiceApp) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(app) as base_url, httpx.AsyncClient(base_url=base_url, timeout=60) as http:
        yield http
