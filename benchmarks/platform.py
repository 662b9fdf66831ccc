"""The whole platform for a benchmark: its supervisor, a real PostgreSQL with fsync on, a scripted provider,
an administrator.
"""

import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
from atrium_local.stack import Stack
from shared.http import UpstreamPool

from benchmarks.processes import cpu_tree_us, free_port, python_module, running

_ROOMY = {
    "ACCESS_TOKEN_TTL_S": "3600",
    "SIGNUP_LIMIT": "1000/minute",
    "SIGNUP_DEFAULT_ROLE": "user",
    "USER_RPM": "1000000",
    "KEY_RPM": "1000000",
    "ORGANISATION_RPM": "10000000",
    "STARTING_GRANT": "1000000.00",
    "DEFAULT_USER_BUDGET": "1000000.00",
    "DEFAULT_USER_BUDGETS_MAX": "off",
    "LOG_LEVEL": "WARNING",
}
_PRICE_NANO = 1_000_000_000
MODEL = "fake-echo"


@dataclass(frozen=True, slots=True)
class Platform:
    """`token` is the administrator's. `provider_url` ends in /v1."""

    stack: Stack
    token: str
    user_id: str
    provider_url: str

    @property
    def url(self) -> str:
        return self.stack.base_url

    @property
    def admin_database_url(self) -> str:
        """Superuser of the platform's database."""
        password = json.loads(self.stack.home.secrets.read_text())["postgres_password"]
        return f"postgresql://postgres:{password}@127.0.0.1:{self.stack.ports['postgres']}/atrium"

    def cpu_us(self, names: Sequence[str]) -> dict[str, float]:
        """CPU time so far of the named processes with their children, in microseconds."""
        pids = self.stack.pids()
        return {name: cpu_tree_us(pids[name]) for name in names}

    async def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """A JSON call through the gateway. Raises RuntimeError for any answer but success."""
        pool = UpstreamPool()
        headers = [
            (b"authorization", b"Bearer " + self.token.encode()),
            (b"content-type", b"application/json"),
        ]
        try:
            return await _call(pool, self.url, method, path, headers=headers, body=body)
        finally:
            await pool.aclose()

    async def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Rows, read as superuser."""
        connection = await asyncpg.connect(self.admin_database_url)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()


async def _call(
    pool: UpstreamPool, url: str, method: str, path: str, *, headers: list[tuple[bytes, bytes]], body: object
) -> dict[str, object]:
    data = None if body is None else orjson.dumps(body)
    async with pool.request(method, url, path.encode(), headers, body=data) as response:
        answer = await response.read(10_000_000)
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode()}")
        return orjson.loads(answer)


@contextmanager
def platform(run: Callable[..., object], *, env: dict[str, str] | None = None) -> Iterator[Platform]:
    """A platform that lives as long as the block. `run` is asyncio.run, handed in so that set-up has its own
    loop.
    """
    port = free_port()
    provider_url = f"http://127.0.0.1:{port}/v1"
    with (
        tempfile.TemporaryDirectory() as folder,
        running(python_module("fake_provider", "--port", str(port)), port=port),
    ):
        providers = {"OPENAI_API_BASE_URLS": provider_url, "OPENAI_API_KEYS": "bench"}
        stack = Stack(Path(folder) / "home", env={**_ROOMY, **providers, **(env or {})}, fsync=True)
        try:
            stack.start()
            made = run(_administrator(stack.base_url))
            assert isinstance(made, tuple)
            ready = Platform(stack=stack, token=made[0], user_id=made[1], provider_url=provider_url)
            price = {"model": MODEL, "input_nano_per_mtok": _PRICE_NANO, "output_nano_per_mtok": _PRICE_NANO}
            run(ready.call("PUT", "/api/v1/billing/prices", price))
            yield ready
        finally:
            stack.stop()


async def _administrator(url: str) -> tuple[str, str]:
    body = {
        "name": "Bench",
        "email": f"bench-{secrets.token_hex(4)}@example.com",
        "password": secrets.token_urlsafe(16),
    }
    pool = UpstreamPool()
    try:
        made = await _call(
            pool,
            url,
            "POST",
            "/api/v1/auth/signup",
            headers=[(b"content-type", b"application/json")],
            body=body,
        )
    finally:
        await pool.aclose()
    user = made["user"]
    assert isinstance(user, dict)
    return str(made["access_token"]), str(user["id"])
