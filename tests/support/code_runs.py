"""Code sent to the agent-service in tests, and what comes back."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import httpx
from identities import KeyRing, make_principal
from shared.auth.principal import Principal

KEYS = KeyRing()


PATH = "/api/v1/agents/code/execute"


async def post(
    client: httpx.AsyncClient, body: dict[str, Any], principal: Principal | None = None
) -> httpx.Response:
    return await client.post(PATH, headers=KEYS.user_headers(principal or make_principal()), json=body)


async def run(client: httpx.AsyncClient, code: str, **fields: Any) -> dict[str, Any]:
    answer = await post(client, {"code": code, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def soon(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within ten seconds."""
    for _ in range(500):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return False


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def contents(result: dict[str, Any]) -> dict[str, bytes]:
    return {file["name"]: base64.b64decode(file["content_base64"]) for file in result["files"]}
