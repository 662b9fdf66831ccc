"""Does a stream pass the gateway token by token? 600 tokens, 50 ms apart, straight and through the gateway at the same time.

The added gap is the time between two tokens at the client minus the time between the same two when the gateway is left out;
an event must never hold two tokens.
"""

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from shared.http import RawHeaders, Timeouts, UpstreamPool
from shared.sse import SseParser
from shared.testing.identity import KeyRing, make_principal

from benchmarks.load import percentile_ms
from benchmarks.processes import free_port, python_module, running

_PATIENT = Timeouts(first_byte_s=30, idle_s=30)


@dataclass(slots=True)
class Seen:
    """Arrival times of one stream's tokens, in seconds. `crowded` counts events with more than one token, `merged` reads with more
    than one event: those are a matter of who gets the processor, and happen without a gateway too."""

    at: list[float] = field(default_factory=list[float])
    crowded: int = 0
    merged: int = 0


async def watch(pool: UpstreamPool, origin: str, headers: RawHeaders, *, tokens: int, delay_ms: int) -> Seen:
    """Reads one stream to its end."""
    body = orjson.dumps(
        {
            "model": "fake-slow",
            "stream": True,
            "max_tokens": tokens,
            "messages": [{"role": "user", "content": f"go !tokens={tokens} !delay_ms={delay_ms}"}],
        }
    )
    seen, parser = Seen(), SseParser()
    async with pool.request(
        "POST", origin, b"/v1/chat/completions", [*headers, (b"content-type", b"application/json")], body=body, timeouts=_PATIENT
    ) as response:
        if response.status != 200:
            raise RuntimeError(f"{origin} answered {response.status}: {(await response.read(10_000)).decode()}")
        async for chunk in response.iter_raw():
            now = time.perf_counter()
            counts = [count for event in parser.feed(chunk) if (count := _tokens(event.data))]
            seen.at += [now] * len(counts)
            seen.crowded += sum(count > 1 for count in counts)
            seen.merged += len(counts) > 1
    return seen


def _tokens(data: bytes) -> int:
    """Words of one event's text: the scripted provider sends one word as one token."""
    if data == b"[DONE]":
        return 0
    choices = orjson.loads(data).get("choices") or []
    return len((choices[0]["delta"].get("content") or "").split()) if choices else 0


def gaps(seen: Seen) -> list[float]:
    """Seconds between neighbouring tokens."""
    return [later - earlier for earlier, later in itertools.pairwise(seen.at)]


async def measure(direct: str, gateway: str, authorization: bytes, *, streams: int, tokens: int, delay_ms: int) -> dict[str, object]:
    """Runs `streams` of each kind side by side."""
    pool = UpstreamPool()
    headers: RawHeaders = [(b"authorization", authorization)]
    jobs = [watch(pool, origin, headers, tokens=tokens, delay_ms=delay_ms) for origin in (direct, gateway) for _ in range(streams)]
    results = await asyncio.gather(*jobs)
    await pool.aclose()
    straight, through = results[:streams], results[streams:]
    baseline = sorted(gap for seen in straight for gap in gaps(seen))
    passed = sorted(gap for seen in through for gap in gaps(seen))
    added = sorted(max(0.0, gap - delay_ms / 1000) for seen in through for gap in gaps(seen))
    return {
        "streams": streams,
        "tokens": sum(len(seen.at) for seen in through),
        "delay_ms": delay_ms,
        "events_with_two_tokens": sum(seen.crowded for seen in through),
        "merged_reads": sum(seen.merged for seen in through),
        "merged_reads_without_gateway": sum(seen.merged for seen in straight),
        "gap_p50_ms": round(percentile_ms(passed, 0.5), 2),
        "gap_p99_ms": round(percentile_ms(passed, 0.99), 2),
        "gap_p99_without_gateway_ms": round(percentile_ms(baseline, 0.99), 2),
        "added_gap_p99_ms": round(percentile_ms(added, 0.99), 2),
        "target": "added_gap_p99_ms < 100, events_with_two_tokens = 0",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=600)
    parser.add_argument("--delay-ms", type=int, default=50)
    parser.add_argument(
        "--gateway", help="measure this running gateway (http://host:port), which has a fake-slow model, instead of a fresh proxy"
    )
    parser.add_argument("--token", help="token or API key for --gateway")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        provider_port = free_port()
        stack.enter_context(running(python_module("shared.testing.fake_provider", "--port", str(provider_port)), port=provider_port))
        direct = f"http://127.0.0.1:{provider_port}"
        gateway, token = options.gateway, options.token
        if gateway is None:
            keys = KeyRing()
            token = keys.user_token(make_principal(), ttl_s=3600)
            jwks = Path(name) / "jwks.json"
            jwks.write_text(keys.jwks)
            port = free_port()
            command = python_module("benchmarks.hop_gateway", "--port", str(port), "--upstream", direct, "--jwks", str(jwks))
            stack.enter_context(running(command, port=port))
            gateway = f"http://127.0.0.1:{port}"
        result = asyncio.run(
            measure(direct, gateway, f"Bearer {token}".encode(), streams=options.streams, tokens=options.tokens, delay_ms=options.delay_ms)
        )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
