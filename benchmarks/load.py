"""Load: wrk where it is installed, else a generator of our own. Both give requests, time and latency
percentiles.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from shared.http import PoolLimits, Timeouts, UpstreamPool

_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "{authorization}"
wrk.body = [==[{body}]==]
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`p50_ms` and `p99_ms` are of complete requests as the client saw them."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int


def run_load(url: str, *, body: str, authorization: str, connections: int, seconds: float) -> LoadResult:
    """POSTs `body` over and over. Raises RuntimeError when no request succeeded."""
    if shutil.which("wrk"):
        result = _wrk(url, body, authorization, connections=connections, seconds=seconds)
    else:
        result = asyncio.run(_own(url, body, authorization, connections=connections, seconds=seconds))
    if result.requests == 0:
        raise RuntimeError(f"no request to {url} succeeded")
    return result


def _wrk(url: str, body: str, authorization: str, *, connections: int, seconds: float) -> LoadResult:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_SCRIPT.format(authorization=authorization, body=body))
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "10s",
            "-s",
            str(script),
            url,
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", output)
    if match is None:
        raise RuntimeError(f"wrk said: {output}")
    requests, duration_us, p50_us, p99_us, refused, broken = map(int, match.groups())
    return LoadResult(requests, duration_us / 1e6, p50_us / 1000, p99_us / 1000, refused + broken)


async def _own(url: str, body: str, authorization: str, *, connections: int, seconds: float) -> LoadResult:
    origin, slash, rest = url.removeprefix("http://").partition("/")
    pool = UpstreamPool(PoolLimits(connections_max=connections))
    headers = [(b"content-type", b"application/json"), (b"authorization", authorization.encode())]
    latencies: list[float] = []
    errors = 0
    until = time.monotonic() + seconds

    async def caller() -> None:
        nonlocal errors
        while (started := time.monotonic()) < until:
            async with pool.request(
                "POST",
                f"http://{origin}",
                (slash + rest).encode(),
                headers,
                body=body.encode(),
                timeouts=Timeouts(),
            ) as response:
                await response.read(10_000_000)
                errors += response.status >= 400
            latencies.append(time.monotonic() - started)

    started = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(connections)))
    took = time.monotonic() - started
    await pool.aclose()
    latencies.sort()
    return LoadResult(
        len(latencies), took, percentile_ms(latencies, 0.5), percentile_ms(latencies, 0.99), errors
    )


def percentile_ms(sorted_seconds: list[float], share: float) -> float:
    """A percentile of sorted seconds, in milliseconds; 0 without values."""
    if not sorted_seconds:
        return 0.0
    return sorted_seconds[min(len(sorted_seconds) - 1, int(len(sorted_seconds) * share))] * 1000
