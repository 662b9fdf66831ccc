"""A running gateway and people in it, for the tests of the gateway and of what stands behind it."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import asyncpg
import httpx
from gateway_service.main import create_app
from gateway_service.proxy.app import ProxyApp
from gateway_service.settings import GatewaySettings
from identities import KeyRing
from servers import serve

KEYS = KeyRing()
PASSWORD = "correct horse battery"
_GENEROUS = dict.fromkeys(
    ("signin_limit", "signin_account_limit", "signup_limit", "refresh_limit"), "10000/minute"
)


@dataclass
class Person:
    """Someone signed in, with a client of their own that keeps their cookies."""

    http: httpx.AsyncClient
    email: str
    user: dict[str, Any]
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.bearer, **options)

    async def post(self, path: str, json: Any = None) -> httpx.Response:
        return await self.http.post(path, json=json, headers=self.bearer)

    async def patch(self, path: str, json: Any) -> httpx.Response:
        return await self.http.patch(path, json=json, headers=self.bearer)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(path, headers=self.bearer)


@dataclass
class Gateway:
    """A running gateway."""

    url: str
    app: ProxyApp
    settings: GatewaySettings
    database: Any

    @property
    def state(self) -> Any:
        return cast("Any", self.app)._fallback.state

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(**{"base_url": self.url, "timeout": 60} | options)

    async def sign_up(self, name: str) -> Person:
        http = self.client()
        email = f"{name}@example.com"
        answer = await http.post(
            "/api/v1/auth/signup", json={"name": name, "email": email, "password": PASSWORD}
        )
        if answer.status_code != 201:
            raise RuntimeError(answer.text)
        body = answer.json()
        return Person(http, email, body["user"], body["access_token"])

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database.app_url, server_settings={"search_path": "gateway"})
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()


class StartGateway(Protocol):
    """Fixture type: `async with start_gateway(enable_signup=False) as gateway`."""

    def __call__(self, database: Any = None, **fields: Any) -> AbstractAsyncContextManager[Gateway]: ...


@asynccontextmanager
async def running_gateway(database: Any, **fields: Any) -> AsyncGenerator[Gateway]:
    """A gateway over a migrated `database` (what the fixture service_database gives). Passwords are hashed
    cheaply, limits are wide.
    """
    settings = GatewaySettings(
        **cast("dict[str, Any]", KEYS.settings_fields("gateway", database_url=database.app_url)),
        **cast(
            "dict[str, Any]",
            {"password_hash_memory_kib": 8, "password_hash_time_cost": 1, **_GENEROUS, **fields},
        ),
    )
    app = create_app(settings)
    async with serve(app) as url:
        yield Gateway(url, app, settings, database)
