"""kill -9 at each step: what was not acknowledged leaves no trace or is recoverable, what was acknowledged
stays, once.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from billing_service.entitlements.models import bucket_list
from billing_service.entitlements.repository import EntitlementRepository
from shared.clock import utc_now
from shared.contracts.billing import UsageBuckets
from shared.db import create_raw_pool
from shared.errors import Unavailable

SERVICE_ROOT = Path(__file__).resolve().parent.parent
WORKER = Path(__file__).with_name("race_worker.py")
USAGE = bucket_list(UsageBuckets(input_tokens=100, output_tokens=50))
COST_NANO = 100 * 10 + 50 * 40
# What the dead client's dispatch is afterwards.
STEPS = {
    "inside reserve": None,
    "after reserve": "held",
    "inside settle": "held",
    "inside expiry": "held",
    "inside release": "held",
    "after settle": "settled",
}


async def settle(repository, request_id):
    return await repository.settle(
        request_id, USAGE, source="provider", outcome="complete", occurred_at=utc_now(), latency_ms=1
    )


async def test_a_client_killed_at_any_step_leaves_whole_books(
    database, pool, repository, new_tenant, broken_invariants
):
    ids = {step: uuid4() for step in STEPS}
    steps = {step: new_tenant().chain() | {"request_id": str(request_id)} for step, request_id in ids.items()}
    command = [sys.executable, str(WORKER), "die", json.dumps({"url": database.app_url, "steps": steps})]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 - nothing else runs on this loop
    assert worker.stdout.readline() == b'"ready"\n'
    worker.kill()
    worker.wait()
    for step, state in STEPS.items():
        # The lock of the dead process' transaction goes when the server notices the death; nobody waits
        # longer than that.
        await pool.execute("SELECT 1 FROM hold WHERE request_id = $1 FOR UPDATE", ids[step])
        found = await repository.usage(ids[step])
        assert (found.state if found else None) == state, step
    assert await broken_invariants(pool) == {}
    for step, state in STEPS.items():
        for _ in range(2 if state else 0):
            assert (await settle(repository, ids[step])).cost_nano == COST_NANO
    assert await broken_invariants(pool) == {}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Process:
    """The service as its own process, which can be killed and started again on the same port."""

    def __init__(self, environment):
        self.port = free_port()
        self.environment = {**os.environ, **environment}
        self.child = None

    def spawn(self):
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "app.main:app",
            "--port",
            str(self.port),
            "--log-level",
            "warning",
            "--no-access-log",
        ]
        self.child = subprocess.Popen(
            command, cwd=SERVICE_ROOT, env=self.environment, stdout=subprocess.DEVNULL
        )

    async def ready(self):
        async with httpx.AsyncClient(timeout=60) as http:
            try:
                return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
            except httpx.TransportError:
                assert self.child.poll() is None, "the service did not start"
                return False

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()


@asynccontextmanager
async def running(environment, until):
    process = Process(environment)
    process.spawn()
    await until(process.ready)
    try:
        yield process
    finally:
        process.kill()


RESERVE = {"model": "qwen2.5-coder-0.5b-instruct", "provider": "mock"}
RESERVE |= {"input_tokens_max": 400, "output_tokens_max": 100}
SETTLE = {"source": "provider", "outcome": "complete", "latency_ms": 20}
SETTLE |= {"usage": {"input_tokens": 100, "output_tokens": 50}}


async def test_the_service_killed_under_load_charges_each_dispatch_once(
    database, keys, new_tenant, broken_invariants, until, tmp_path
):
    environment = keys.environment("billing-service", database_url=database.app_url)
    environment |= {"HOLD_TTL_S": "1", "ATRIUM_HOME": str(tmp_path)}
    headers = keys.service_headers("inference-service", target="billing-service")
    tenants = [new_tenant() for _ in range(3)]
    admitted, acknowledged = [], {}

    async def dispatch(http, number, killed):
        """As inference makes it: what is not answered is repeated under the same id after the restart."""
        request_id = str(uuid4())
        reserve = RESERVE | {"request_id": request_id, "principal": tenants[number % 3].chain()}
        try:
            if (await http.post("/internal/v1/reservations", json=reserve)).status_code != 200:
                return
        except httpx.TransportError:
            return  # never dispatched: whatever was held expires
        admitted.append(request_id)
        await asyncio.sleep(0.02)
        body = SETTLE | {"occurred_at": utc_now().isoformat()}
        while True:
            try:
                answer = await http.post(f"/internal/v1/reservations/{request_id}/settle", json=body)
                assert answer.status_code == 200, answer.text
                acknowledged[request_id] = answer.json()["cost_nano"]
                return
            except httpx.TransportError:
                await killed.wait()
                await asyncio.sleep(0.05)

    async with (
        running(environment, until) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", headers=headers, timeout=20) as http,
    ):
        restarted = asyncio.Event()
        load = [asyncio.ensure_future(dispatch(http, number, restarted)) for number in range(60)]

        async def some_are_charged():
            return len(acknowledged) >= 10

        await until(some_are_charged, pause_s=0.005)
        process.kill()
        process.spawn()
        await until(process.ready)
        restarted.set()
        await asyncio.gather(*load)
        pool = await create_raw_pool(database.app_url, schema="billing", size_min=1, size_max=2)

        async def nothing_is_held():
            return await pool.fetchval("SELECT count(*) FROM hold WHERE state = 'held'") == 0

        await until(nothing_is_held)
    assert acknowledged.keys() == set(admitted)
    for request_id, cost_nano in acknowledged.items():
        row = await pool.fetchrow("SELECT state, cost_nano FROM hold WHERE request_id = $1", UUID(request_id))
        assert (row["state"], row["cost_nano"]) == ("settled", cost_nano)
        assert cost_nano == COST_NANO
    assert await broken_invariants(pool) == {}
    await pool.close()


@pytest.fixture
def own_postgres(postgres, tmp_path):
    """A server of this test alone, with fsync, that may be killed."""
    server = type(postgres.server)(
        data_dir=tmp_path / "data",
        port=free_port(),
        password=secrets.token_urlsafe(16),
        log_path=tmp_path / "server.log",
    )
    server.initialise()
    server.start()
    yield type(postgres)(server)
    server.stop()


async def test_postgres_killed_under_load_fails_closed_and_keeps_what_was_acknowledged(
    own_postgres, policy, new_tenant, broken_invariants, until
):
    database = own_postgres.clone("billing-service")
    pool = await create_raw_pool(database.app_url, schema="billing", size_min=1, size_max=4)
    repository = EntitlementRepository(pool)
    tenants = [new_tenant() for _ in range(3)]
    acknowledged, refused = {}, 0

    async def lane(number):
        nonlocal refused
        for _ in range(40):
            request = tenants[number].request()
            try:
                assert (await repository.reserve(request, policy)).outcome == "held"
            except Unavailable:
                refused += 1  # closed: nothing is dispatched, so nothing is owed
                await asyncio.sleep(0.05)
                continue
            while True:
                try:
                    acknowledged[request.request_id] = (
                        await settle(repository, request.request_id)
                    ).cost_nano
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)

    lanes = [asyncio.ensure_future(lane(number)) for number in range(3)]

    async def some_are_charged():
        return len(acknowledged) >= 20

    await until(some_are_charged, pause_s=0.005)
    own_postgres.server.process.send_signal(signal.SIGKILL)
    own_postgres.server.process.wait()
    with pytest.raises(Unavailable):
        await repository.reserve(new_tenant().request(), policy)
    await asyncio.to_thread(own_postgres.server.start)
    await asyncio.wait_for(asyncio.gather(*lanes), 60)
    rows = await pool.fetch("SELECT request_id, cost_nano FROM hold WHERE state = 'settled'")
    assert {row["request_id"]: row["cost_nano"] for row in rows} == acknowledged
    assert set(acknowledged.values()) == {COST_NANO}
    assert await broken_invariants(pool) == {}
    await pool.close()
