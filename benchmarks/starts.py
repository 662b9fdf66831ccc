"""64 chat turns started at once: the time to the first token, and the CPU each process took for a start.

The provider is scripted and answers at once, so all of it is the platform's own. Each turn is in a chat of
its own, of one of a few people (a person runs a few at a time). Rounds repeat; the figures are those of the
median round by p50.
"""

import argparse
import asyncio
import json
import secrets
import statistics
import time
from dataclasses import dataclass

import orjson
from shared.http import PoolLimits, Timeouts, UpstreamPool
from shared.sse import SseParser

from benchmarks.load import percentile_ms
from benchmarks.platform import MODEL, Platform, platform

_COUNTED = ("gateway", "chat-service", "inference-service", "billing-service", "postgres")
_QUESTION = "tell me something !tokens=20"
_PATIENT = Timeouts(first_byte_s=60, idle_s=60)
_BETWEEN_ROUNDS_S = 2.0


@dataclass(frozen=True, slots=True)
class Start:
    """A chat that waits for its message, and the token of its owner."""

    token: str
    chat_id: str


@dataclass(frozen=True, slots=True)
class Round:
    """What one burst took. `first_token_s` is sorted."""

    first_token_s: list[float]
    cpu_ms: dict[str, float]


async def ask(
    pool: UpstreamPool, url: str, method: str, path: str, *, token: str | None, body: object
) -> dict[str, object]:
    """A JSON call. Raises RuntimeError for any answer but success."""
    headers = [(b"content-type", b"application/json")]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    async with pool.request(
        method, url, path.encode(), headers, body=orjson.dumps(body), timeouts=_PATIENT
    ) as response:
        answer = await response.read(1_000_000)
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode()}")
        return orjson.loads(answer)


async def sign_up(pool: UpstreamPool, ready: Platform, people: int) -> list[str]:
    """Access tokens of new people whom the administrator made users with a budget."""
    tokens: list[str] = []
    for number in range(people):
        email, password = f"starts-{number}-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16)
        body = {"name": f"Person {number}", "email": email, "password": password}
        made = await ask(pool, ready.url, "POST", "/api/v1/auth/signup", token=None, body=body)
        user = made["user"]
        assert isinstance(user, dict)
        if user["role"] == "pending":
            await ready.call("PATCH", f"/api/v1/admin/users/{user['id']}", {"role": "user"})
            made = await ask(
                pool,
                ready.url,
                "POST",
                "/api/v1/auth/signin",
                token=None,
                body={"email": email, "password": password},
            )
        budget = {"scope": "user", "scope_id": user["id"], "window": "month", "limit": "1000.00"}
        await ready.call("PUT", "/api/v1/billing/budgets", budget)
        tokens.append(str(made["access_token"]))
    return tokens


async def first_token(pool: UpstreamPool, ready: Platform, start: Start) -> float:
    """Seconds from the post to the first token; the reply is read to its end. Raises RuntimeError when it is
    not complete.
    """
    headers = [
        (b"authorization", b"Bearer " + start.token.encode()),
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream"),
    ]
    target = f"/api/v1/chats/{start.chat_id}/messages".encode()
    parser, began, found = SseParser(), time.perf_counter(), 0.0
    body = orjson.dumps({"content": _QUESTION})
    async with pool.request("POST", ready.url, target, headers, body=body, timeouts=_PATIENT) as response:
        if response.status >= 300:
            raise RuntimeError(
                f"the turn was refused: {response.status} {(await response.read(10_000)).decode()}"
            )
        async for chunk in response.iter_raw():
            for event in parser.feed(chunk):
                if event.event == "delta" and not found:
                    found = time.perf_counter() - began
                if event.event == "error":
                    raise RuntimeError(event.data.decode())
                if event.event == "done":
                    return found
    raise RuntimeError("the stream ended without a done event")


async def burst(pool: UpstreamPool, ready: Platform, starts: list[Start]) -> Round:
    """All turns at once."""
    before = ready.cpu_us(_COUNTED)
    waits = await asyncio.gather(*(first_token(pool, ready, start) for start in starts))
    after = ready.cpu_us(_COUNTED)
    return Round(
        sorted(waits), {name: (after[name] - before[name]) / 1000 / len(starts) for name in _COUNTED}
    )


async def measure(ready: Platform, *, at_once: int, people: int, rounds: int) -> list[Round]:
    """A round to warm up, then `rounds` that count."""
    pool = UpstreamPool(PoolLimits(connections_max=at_once))
    try:
        tokens = await sign_up(pool, ready, people)
        chats: list[Start] = []
        for number in range(at_once):
            token = tokens[number % people]
            made = await ask(pool, ready.url, "POST", "/api/v1/chats", token=token, body={"model": MODEL})
            chats.append(Start(token, str(made["id"])))
        done: list[Round] = []
        for _ in range(rounds + 1):
            done.append(await burst(pool, ready, chats))
            await asyncio.sleep(_BETWEEN_ROUNDS_S)
        return done[1:]
    finally:
        await pool.aclose()


def run(*, at_once: int, people: int, rounds: int) -> dict[str, object]:
    """Starts a platform and gives the median round."""
    with platform(
        asyncio.run, env={"TURNS_RUNNING_PER_USER_MAX": str(at_once), "STREAMS_PER_USER_MAX": str(at_once)}
    ) as ready:
        measured = asyncio.run(measure(ready, at_once=at_once, people=people, rounds=rounds))
    ordered = sorted(measured, key=lambda each: statistics.median(each.first_token_s))
    chosen = ordered[len(ordered) // 2]
    return {
        "turns_at_once": at_once,
        "first_token_p50_ms": round(percentile_ms(chosen.first_token_s, 0.5), 1),
        "first_token_p99_ms": round(percentile_ms(chosen.first_token_s, 0.99), 1),
        "first_token_p50_ms_of_rounds": [
            round(percentile_ms(each.first_token_s, 0.5), 1) for each in measured
        ],
        "cpu_ms_per_start": {name: round(value, 2) for name, value in chosen.cpu_ms.items()},
        "cpu_ms_per_start_in_all": round(sum(chosen.cpu_ms.values()), 2),
        "target": "first_token_p50_ms < 600",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(run(at_once=options.at_once, people=options.people, rounds=options.rounds), indent=2))


if __name__ == "__main__":
    main()
