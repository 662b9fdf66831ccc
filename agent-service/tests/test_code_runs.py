"""Running code end to end: what people get back, and what is refused."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from shared.auth import Role
from shared.testing.identity import KeyRing, make_principal
from shared.testing.server import serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = KeyRing()
Run = Callable[..., Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(service_database: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    database = service_database("agent-service")
    home = tmp_path_factory.mktemp("home")
    settings = AgentSettings(**KEYS.settings_fields("agent-service", database_url=database.app_url), atrium_home=home)
    async with serve(create_app(settings)) as base_url, httpx.AsyncClient(base_url=base_url, timeout=60) as http:
        yield http


async def run(client: httpx.AsyncClient, code: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/agents/code/execute", headers=KEYS.user_headers(make_principal()), json={"code": code, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_output_and_the_last_value_come_back(client: httpx.AsyncClient) -> None:
    result = await run(client, "print('hello')\n37 * 91")
    assert (result["status"], result["stdout"], result["result"], result["stderr"]) == ("ok", "hello\n", "3367", "")
