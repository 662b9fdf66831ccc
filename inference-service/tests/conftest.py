"""The service as a real server, a scripted billing over real HTTP, and the scripted provider."""

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from atrium_local.catalogue import EMBEDDING_MODEL, model_named
from atrium_local.settings import LocalSettings
from atrium_local.weights import Store, ensure_model, link_model
from fake_provider import FakeProvider, running_provider
from identities import KeyRing, make_principal
from inference_service.main import create_app
from inference_service.settings import InferenceSettings
from servers import read_body, serve
from shared.app.asgi import ServiceApp
from suite.waiting import eventually

INPUT_NANO = 10
OUTPUT_NANO = 20
WALLET_NANO = 1_000_000_000


@dataclass
class FakeBilling:
    """The internal contract of billing-service, scripted: what it was told, and how it shall answer."""

    url: str = ""
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    released: dict[str, str] = field(default_factory=dict)
    checkpoints: list[dict[str, int]] = field(default_factory=list)
    refusal: tuple[int, dict[str, Any]] | None = None
    granted_max: int = 1_000_000
    failing: set[str] = field(default_factory=set)
    refusing: dict[str, int] = field(default_factory=dict)
    settle_calls: int = 0
    batches: bool = True
    calls: int = 0
    free: set[str] = field(default_factory=set)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        assert dict(scope["headers"])[b"authorization"].startswith(b"Bearer ")
        self.calls += 1
        status, answer = self.route(scope["method"], scope["path"], orjson.loads(body) if body else {})
        kind = b"application/json" if status == 200 else b"application/problem+json"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})

    def route(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = path.rsplit("/", 1)[1]
        if name == "batch":
            return self.batch(body)
        if name in self.failing:
            return 500, {"detail": "scripted failure"}
        if name in self.refusing:
            self.settle_calls += name == "settle"
            return self.refusing[name], {"code": "invalid", "detail": "scripted refusal"}
        if method == "GET":
            return 200, {
                "object": "list",
                "data": [{"model": "fake-echo"}],
                "has_more": False,
                "last_id": None,
            }
        if name == "reservations":
            return self.reserve(body)
        if name == "checkpoint":
            self.checkpoints.append({hold["request_id"]: hold["output_tokens"] for hold in body["holds"]})
            return 200, {"renewed": [], "lost": []}
        request_id = path.split("/")[-2]
        return self.settle(request_id, body) if name == "settle" else self.release(request_id, body)

    def batch(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not self.batches:
            return 404, {"code": "not_found", "detail": "there is nothing at this address"}
        answers: list[dict[str, Any]] = []
        for entry in body["entries"]:
            tail = "" if entry["action"] == "reserve" else f"/{entry['dispatch_id']}/{entry['action']}"
            status, answer = self.route("POST", f"/internal/v1/reservations{tail}", entry["body"])
            answers.append({"status": status, "body": answer})
        return 200, {"answers": answers}

    def reserve(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refusal is not None:
            return self.refusal
        assert body["request_id"] not in self.holds
        self.holds[body["request_id"]] = body
        return 200, {
            "request_id": body["request_id"],
            "state": "held",
            "amount_nano": body["input_tokens_max"] * INPUT_NANO
            + body["output_tokens_max"] * OUTPUT_NANO * body["n"],
            "price_version": None,
            "granted_output_tokens": min(body["output_tokens_max"], self.granted_max),
            "free": body["model"] in self.free,
            "expires_at": "2026-01-01T00:00:00Z",
            "remaining_nano": WALLET_NANO,
        }

    def settle(self, request_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.settle_calls += 1
        if request_id not in self.holds or request_id in self.released:
            return 404, {"code": "not_found", "detail": "no such hold"}
        self.settled.setdefault(request_id, body)
        usage = self.settled[request_id]["usage"]
        cost = usage["input_tokens"] * INPUT_NANO + usage["output_tokens"] * OUTPUT_NANO
        return 200, {
            "request_id": request_id,
            "state": "settled",
            "cost_nano": cost,
            "house_loss_nano": 0,
            "remaining_nano": WALLET_NANO - cost,
        }

    def release(self, request_id: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request_id not in self.holds:
            return 404, {"code": "not_found", "detail": "no such hold"}
        assert request_id not in self.settled
        self.released[request_id] = body["reason"]
        return 200, {"request_id": request_id, "state": "released"}

    @property
    def open_holds(self) -> set[str]:
        return set(self.holds) - set(self.settled) - set(self.released)

    def only_settlement(self) -> dict[str, Any]:
        assert len(self.settled) == 1, (self.settled, self.released)
        return next(iter(self.settled.values()))


@dataclass
class Running:
    """A served inference-service and a client that is signed in."""

    url: str
    app: ServiceApp
    client: httpx.AsyncClient
    keys: KeyRing

    async def models_found(self, name: str) -> None:
        """Wait until discovery has seen `name`."""

        async def listed() -> bool:
            models = (await self.client.get("/v1/models")).json()["data"]
            return any(model["id"] == name for model in models)

        await eventually(listed)


@pytest.fixture
async def billing() -> AsyncIterator[FakeBilling]:
    fake = FakeBilling()
    async with serve(fake, lifespan="off") as url:
        fake.url = url
        yield fake


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with running_provider() as fake:
        yield fake


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing()


@pytest.fixture(scope="module")
def database(service_database: Any) -> Any:
    return service_database("inference-service")


async def empty_queue(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM pending_settlement")
    await connection.close()


Start = Callable[..., Any]


@pytest.fixture
def start(database: Any, keys: KeyRing, billing: FakeBilling, tmp_path: Path) -> Start:
    """`async with start(**settings) as running`."""

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncGenerator[Running]:
        await empty_queue(database.app_url)
        fields = {
            **keys.settings_fields("inference-service", database_url=database.app_url),
            "billing_service_url": billing.url,
            "local_model_url": "off",
            "atrium_home": tmp_path,
            "log_level": "WARNING",
            **changes,
        }
        app = create_app(InferenceSettings(_env_file=None, **fields))
        async with (
            serve(app) as url,
            httpx.AsyncClient(
                base_url=url, headers=keys.user_headers(make_principal()), timeout=60
            ) as client,
        ):
            yield Running(url, app, client, keys)

    return run


@pytest.fixture
async def running(start: Start, provider: FakeProvider) -> AsyncIterator[Running]:
    """The service with the scripted provider, its models found."""
    async with start(
        openai_api_base_urls=provider.url, openai_api_keys="sk-secret-of-the-provider"
    ) as service:
        await service.models_found("fake-echo")
        yield service


@pytest.fixture(scope="session")
def embedding_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the real weights, fetched once per machine and checked by their hash."""
    folder = tmp_path_factory.mktemp("embedding-model")
    files = ensure_model(
        Store.of(LocalSettings()), model_named(EMBEDDING_MODEL), report=lambda _done, _total: None
    )
    link_model(files, folder)
    return folder


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Awaitable[None]]:
    """`await eventually(check)`: polls until `check()` is true."""
    return eventually


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
