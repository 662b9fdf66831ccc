"""kill -9 of the service: a reply that ended keeps its settlement (I7), whoever delivers it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_provider import FakeProvider
from identities import KeyRing, make_principal
from suite.waiting import eventually

SERVICE = Path(__file__).parent.parent


@pytest.fixture
def spawn(
    database: Any, keys: KeyRing, billing: Any, provider: FakeProvider, tmp_path: Path, free_port: int
) -> Callable[[], Any]:
    """Starts the service as an operator would: `uvicorn app.main:app` in its folder."""
    variables = {
        **keys.environment("inference-service", database_url=database.app_url),
        "ATRIUM_HOME": str(tmp_path),
        "BILLING_SERVICE_URL": billing.url,
        "OPENAI_API_BASE_URLS": provider.url,
        "LOCAL_MODEL_URL": "off",
    }
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "app.main:app",
        "--port",
        str(free_port),
        "--log-level",
        "warning",
    ]

    def run() -> "subprocess.Popen[bytes]":
        log = (tmp_path / "service.log").open("ab")
        return subprocess.Popen(command, cwd=SERVICE, env={**os.environ, **variables}, stdout=log, stderr=log)

    return run


async def serves(client: httpx.AsyncClient) -> bool:
    try:
        return any(model["id"] == "fake-echo" for model in (await client.get("/v1/models")).json()["data"])
    except httpx.TransportError:
        return False


@pytest.mark.faults
@pytest.mark.timeout(240)
async def test_what_was_queued_before_a_kill_is_delivered_after_the_restart(
    spawn: Callable[[], Any], billing: Any, keys: KeyRing, free_port: int
) -> None:
    headers = keys.user_headers(make_principal())
    process = spawn()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{free_port}", headers=headers, timeout=30
        ) as client:
            await eventually(lambda: serves(client), 90)
            billing.failing.add("settle")
            body = {"model": "fake-echo", "messages": [{"role": "user", "content": "one two"}]}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not billing.settled
            billing.failing.clear()
            process = spawn()
            await eventually(lambda: billing.settled, 90)
    finally:
        process.kill()
        process.wait()
    assert billing.only_settlement()["usage"]["output_tokens"] == 2
    assert not billing.open_holds


@pytest.mark.faults
@pytest.mark.timeout(240)
async def test_a_kill_in_the_middle_of_a_stream_cancels_the_provider_and_leaves_the_checkpointed_hold(
    spawn: Callable[[], Any],
    billing: Any,
    keys: KeyRing,
    provider: FakeProvider,
    free_port: int,
) -> None:
    headers = keys.user_headers(make_principal())
    process = spawn()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{free_port}", headers=headers, timeout=30
        ) as client:
            await eventually(lambda: serves(client), 90)
            body = {
                "model": "fake-slow",
                "messages": [{"role": "user", "content": "!tokens=3000 !delay_ms=5"}],
                "stream": True,
            }
            request = client.build_request("POST", "/v1/chat/completions", json=body)
            response = await client.send(request, stream=True)
            lines = response.aiter_lines()

            async def checkpointed() -> bool:
                await anext(lines)
                return any(max(entry.values(), default=0) > 10 for entry in billing.checkpoints)

            await eventually(checkpointed)
            process.send_signal(signal.SIGKILL)
            await eventually(lambda: provider.cancelled == 1)
    finally:
        process.kill()
        process.wait()
    assert len(billing.open_holds) == 1
