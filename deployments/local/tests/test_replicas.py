"""Several gateway processes on one port, under one supervisor."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
from atrium_local.listeners import Listener
from atrium_local.services import SERVICES
from atrium_local.stack import Stack, _free_ports
from redis_world import RedisServer

OTHERS = tuple(service.name for service in SERVICES if service.name != "gateway")
PATIENCE_S = 60.0


async def status_of(port: int) -> int | None:
    """What who connects is told; None when nobody takes the connection up."""
    async with httpx.AsyncClient(trust_env=False, timeout=0.3) as http:
        try:
            return (await http.get(f"http://127.0.0.1:{port}/")).status_code
        except httpx.TransportError:
            return None


async def test_nobody_stands_in_while_one_of_several_serves() -> None:
    port = _free_ports(["cats"])["cats"]
    first = Listener.open("cats-service", "127.0.0.1", port, variable="CATS_PORT")
    second = first.sibling()
    try:
        second.hand_back()
        await first.stand_in()
        assert await status_of(port) is None
        await second.stand_in()
        await first.stand_in()
        assert await status_of(port) == 503
        first.hand_back()
        assert await status_of(port) is None
    finally:
        first.close()


def test_two_gateways_serve_one_port_and_one_limit(
    tmp_path: Path, redis_url: str, redis_server: RedisServer
) -> None:
    settings = {"REDIS_URL": redis_url, "REDIS_TIMEOUT_S": "5", "GATEWAY_PROCESSES": "2"}
    with Stack(tmp_path / "home", env=settings, without=OTHERS) as stack:
        for name in ("gateway", "gateway-2"):
            stack.wait_ready(name, timeout_s=PATIENCE_S)
        before = stack.pids()
        with redis_server.client() as client:
            assert client.zcard("atrium:gateways") == 2
        killed = stack.kill("gateway", signal.SIGKILL)
        assert statuses(stack, 50) == {200}
        stack.wait_ready("gateway", not_pid=killed, timeout_s=PATIENCE_S)
        restarted = restart(stack)
        after = stack.pids()
    assert "gateway is 2 new processes" in restarted
    assert not {before["gateway"], before["gateway-2"]} & {after["gateway"], after["gateway-2"]}


def statuses(stack: Stack, count: int) -> set[int]:
    """Of requests on connections of their own, a moment apart: the killed process is away for the first."""
    found = set[int]()
    for _ in range(count):
        found.add(httpx.get(f"{stack.base_url}/api/v1/auth/config", trust_env=False, timeout=20).status_code)
        time.sleep(0.01)
    return found


def restart(stack: Stack) -> str:
    """What `make restart NAME=gateway` says."""
    command = [sys.executable, "-m", "atrium_local", "restart", "gateway"]
    done = subprocess.run(
        command, env=stack.environment, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_several_without_redis_end_the_start_with_one_line(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", env={"GATEWAY_PROCESSES": "2"}, without=OTHERS)
    stack.home.prepare()
    command = [sys.executable, "-m", "atrium_local", "up"]
    done = subprocess.run(
        command, env=stack.environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode != 0
    assert "limits would not hold; set it to 1, or set REDIS_URL" in done.stdout + done.stderr
