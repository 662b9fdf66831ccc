"""Do tokens reach the client one by one? 600 tokens, 50 ms apart, by three ways at the same time.

Straight from the scripted provider, through /v1 (gateway, inference, billing) and as a chat turn (gateway,
chat, inference, billing, journal). The added gap is the 99th percentile of the time between two tokens less
that of the straight way in the same round; an event must never hold two tokens. A read may hold two events
when the machine is busy, with and without the platform.
"""

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from shared.http import RawHeaders, Timeouts, UpstreamPool
from shared.sse import SseEvent, SseParser

from benchmarks.load import percentile_ms
from benchmarks.platform import MODEL, Platform, platform

_PATIENT = Timeouts(first_byte_s=30, idle_s=30)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the provider. `words` counts the tokens of an event."""

    name: str
    origin: str
    target: str
    headers: RawHeaders
    body: dict[str, object]
    words: Callable[[SseEvent], int]


@dataclass(slots=True)
class Seen:
    """Arrival times of one stream's tokens, in seconds. `crowded` counts events with more than one token,
    `merged` reads with more
    than one event."""

    at: list[float] = field(default_factory=list[float])
    crowded: int = 0
    merged: int = 0

    def gaps(self) -> list[float]:
        """Seconds between neighbouring tokens."""
        return [later - earlier for earlier, later in itertools.pairwise(self.at)]


def completion_words(event: SseEvent) -> int:
    """Words of a chunk of /v1: the scripted provider sends one word as one token."""
    if event.data == b"[DONE]":
        return 0
    choices = orjson.loads(event.data).get("choices") or []
    return len((choices[0]["delta"].get("content") or "").split()) if choices else 0


def delta_words(event: SseEvent) -> int:
    """Words of a chat's delta event. Raises RuntimeError for an error event."""
    if event.event == "error":
        raise RuntimeError(event.data.decode())
    return len(orjson.loads(event.data)["text"].split()) if event.event == "delta" else 0


async def watch(pool: UpstreamPool, way: Way) -> Seen:
    """Reads one stream to its end. Raises RuntimeError when it is refused."""
    seen, parser = Seen(), SseParser()
    headers = [*way.headers, (b"content-type", b"application/json"), (b"accept", b"text/event-stream")]
    async with pool.request(
        "POST", way.origin, way.target.encode(), headers, body=orjson.dumps(way.body), timeouts=_PATIENT
    ) as response:
        if response.status != 200:
            raise RuntimeError(
                f"{way.name} answered {response.status}: {(await response.read(10_000)).decode()}"
            )
        async for chunk in response.iter_raw():
            now = time.perf_counter()
            counts = [count for event in parser.feed(chunk) if (count := way.words(event))]
            seen.at += [now] * len(counts)
            seen.crowded += sum(count > 1 for count in counts)
            seen.merged += len(counts) > 1
    return seen


async def ways(ready: Platform, *, tokens: int, delay_ms: int) -> list[Way]:
    """The three ways; the chat one gets a chat of its own."""
    question = f"go !tokens={tokens} !delay_ms={delay_ms}"
    signed: RawHeaders = [(b"authorization", b"Bearer " + ready.token.encode())]
    body = {
        "model": MODEL,
        "stream": True,
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": question}],
    }
    chat = await ready.call("POST", "/api/v1/chats", {"model": MODEL})
    provider, turn = ready.provider_url.removesuffix("/v1"), f"/api/v1/chats/{chat['id']}/messages"
    return [
        Way("provider", provider, "/v1/chat/completions", [], body, completion_words),
        Way("v1", ready.url, "/v1/chat/completions", signed, body, completion_words),
        Way("chat", ready.url, turn, signed, {"content": question, "max_tokens": tokens}, delta_words),
    ]


def summary(streams: list[Seen], *, straight_p99_ms: float) -> dict[str, object]:
    """Figures over all streams of one way."""
    gaps = sorted(gap for seen in streams for gap in seen.gaps())
    return {
        "tokens": sum(len(seen.at) for seen in streams),
        "gap_p50_ms": round(percentile_ms(gaps, 0.5), 2),
        "gap_p99_ms": round(percentile_ms(gaps, 0.99), 2),
        "added_gap_p99_ms": round(max(0.0, percentile_ms(gaps, 0.99) - straight_p99_ms), 2),
        "events_with_two_tokens": sum(seen.crowded for seen in streams),
        "merged_reads": sum(seen.merged for seen in streams),
    }


async def measure(ready: Platform, *, streams: int, tokens: int, delay_ms: int) -> dict[str, object]:
    """Runs `streams` of each way side by side."""
    pool = UpstreamPool()
    try:
        rounds = [await ways(ready, tokens=tokens, delay_ms=delay_ms) for _ in range(streams)]
        every = [way for each in rounds for way in each]
        results = await asyncio.gather(*(watch(pool, way) for way in every))
    finally:
        await pool.aclose()
    by_name: dict[str, list[Seen]] = {}
    for way, seen in zip(every, results, strict=True):
        by_name.setdefault(way.name, []).append(seen)
    straight_p99_ms = percentile_ms(sorted(gap for seen in by_name["provider"] for gap in seen.gaps()), 0.99)
    rows = {name: summary(seen, straight_p99_ms=straight_p99_ms) for name, seen in by_name.items()}
    return {**rows, "streams_each": streams, "target": "added_gap_p99_ms < 100, events_with_two_tokens = 0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=600)
    parser.add_argument("--delay-ms", type=int, default=50)
    options = parser.parse_args()
    with platform(asyncio.run) as ready:
        result = asyncio.run(
            measure(ready, streams=options.streams, tokens=options.tokens, delay_ms=options.delay_ms)
        )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
