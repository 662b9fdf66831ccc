"""The gateway hop against an nginx worker: CPU per request in the same round, and latency at 32 connections.

Token, quota, deadlines, access lines and proxy are on, tracing is off, one process. Machines drift by a
factor of two under this kind of load, so the figure to compare is the ratio within a round, never requests
per second.
"""

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from identities import KeyRing, make_principal

from benchmarks import nginx
from benchmarks.load import run_load
from benchmarks.processes import cpu_us, free_port, python_module, running

_BODY = (
    '{"model":"bench","messages":[{"role":"user","content":"Say hello to the people in the next room, '
    'please."}],"max_tokens":16}'
)
_ANSWER = (
    '{"id":"chatcmpl-1","object":"chat.completion",'
    '"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."}}]}'
)
_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Measured:
    """One target in one round."""

    cpu_us: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float


def measure(port: int, pid: int, *, authorization: str, connections: int, seconds: float) -> Measured:
    """CPU time of `pid` per request while it is under load."""
    url = f"http://127.0.0.1:{port}{_PATH}"
    before = cpu_us(pid)
    result = run_load(url, body=_BODY, authorization=authorization, connections=connections, seconds=seconds)
    used = cpu_us(pid) - before
    if result.errors:
        raise RuntimeError(
            f"{result.errors} of {result.requests} requests to port {port} failed; the figures would mean "
            "nothing"
        )
    return Measured(used / result.requests, result.requests / result.seconds, result.p50_ms, result.p99_ms)


def run(*, rounds: int, seconds: float, connections: int) -> dict[str, object]:
    """Alternates the two targets and gives the medians."""
    keys = KeyRing()
    authorization = f"Bearer {keys.user_token(make_principal(), ttl_s=3600)}"
    measured: dict[str, list[Measured]] = {"nginx": [], "gateway": []}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the nginx worker gives up root
        jwks = folder / "jwks.json"
        jwks.write_text(keys.jwks)
        upstream, proxy_port, gateway_port = free_port(), free_port(), free_port()
        stack.enter_context(nginx.mock_upstream(upstream, folder / "upstream", body=_ANSWER))
        nginx_pid = stack.enter_context(nginx.proxy(proxy_port, upstream, folder / "proxy"))
        command = python_module(
            "benchmarks.hop_gateway",
            "--port",
            str(gateway_port),
            "--upstream",
            f"http://127.0.0.1:{upstream}",
            "--jwks",
            str(jwks),
        )
        gateway = stack.enter_context(running(command, port=gateway_port, log=folder / "gateway.log"))
        targets = {"nginx": (proxy_port, nginx_pid), "gateway": (gateway_port, gateway.pid)}
        for port, pid in targets.values():
            measure(port, pid, authorization=authorization, connections=connections, seconds=1)
        for _ in range(rounds):
            for target, (port, pid) in targets.items():
                found = measure(
                    port, pid, authorization=authorization, connections=connections, seconds=seconds
                )
                measured[target].append(found)
                print(
                    f"{target:8} {found.cpu_us:7.1f} us CPU/request  {found.requests_per_s:8.0f}/s"
                    f"  p50 {found.p50_ms:.2f} ms  p99 {found.p99_ms:.2f} ms"
                )
    ratios = [
        ours.cpu_us / theirs.cpu_us
        for ours, theirs in zip(measured["gateway"], measured["nginx"], strict=True)
    ]
    return {
        "connections": connections,
        "nginx_cpu_us": round(statistics.median(each.cpu_us for each in measured["nginx"]), 1),
        "gateway_cpu_us": round(statistics.median(each.cpu_us for each in measured["gateway"]), 1),
        "cpu_ratio": round(statistics.median(ratios), 2),
        "gateway_p99_ms": round(statistics.median(each.p99_ms for each in measured["gateway"]), 2),
        "nginx_p99_ms": round(statistics.median(each.p99_ms for each in measured["nginx"]), 2),
        "target": "cpu_ratio <= 10, gateway_p99_ms < 10",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    if not nginx.available():
        raise SystemExit(
            "nginx is the yardstick of this benchmark; install it (apt-get install nginx-light wrk) and run "
            "again"
        )
    print(
        json.dumps(
            run(rounds=options.rounds, seconds=options.seconds, connections=options.connections), indent=2
        )
    )


if __name__ == "__main__":
    main()
