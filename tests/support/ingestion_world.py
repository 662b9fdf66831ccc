"""A retrieval-service over a database and a folder of its own, and the people who use it: for tests of
ingestion.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from fake_embeddings import FakeInference
from identities import KeyRing, make_principal
from retrieval_service.main import create_app
from retrieval_service.settings import RetrievalSettings
from servers import serve
from shared.auth.principal import Principal

FILES = "/api/v1/retrieval/files"
# Eleven passages: each paragraph is too long to share one.
TEXT = "\n\n".join(
    f"Paragraph {number}. " + f"The word of this part is w{number}x. " * 14 for number in range(11)
)
PASSAGES = 11


def refusal(status: int, code: str, message: str = "not now") -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": code, "message": message}}


class Person:
    """A caller of the service."""

    def __init__(self, base_url: str, keys: KeyRing, principal: Principal) -> None:
        self.principal = principal
        self.http = httpx.AsyncClient(
            base_url=base_url, headers=keys.user_headers(principal), timeout=20, trust_env=False
        )

    async def upload(self, text: str | bytes = TEXT, name: str = "notes.txt") -> str:
        answer = await self.http.post(FILES, files={"file": (name, text, "text/plain")})
        assert answer.status_code == 201, answer.text
        return answer.json()["document_id"]

    async def file(self, file_id: str) -> dict[str, Any]:
        return (await self.http.get(f"{FILES}/{file_id}")).json()

    async def until(self, file_id: str, stage: str, within_s: float = 30) -> dict[str, Any]:
        """The file once it is at `stage`; fails when it ends elsewhere."""
        async with asyncio.timeout(within_s):
            while True:
                file = await self.file(file_id)
                if file["stage"] == stage:
                    return file
                assert file["stage"] not in {"ready", "failed", "cancelled"}, file
                await asyncio.sleep(0.05)


@dataclass
class World:
    """One database, one folder, one embedding service; services come and go over them."""

    database: Any
    keys: KeyRing
    home: Path
    fields: dict[str, Any]
    inference: FakeInference
    people: list[Person] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def service(self, **changes: Any) -> AsyncGenerator["Service"]:
        app = create_app(RetrievalSettings(**{**self.fields, **changes}))
        async with serve(app) as base_url:
            service = Service(self, base_url, app)
            yield service
            for person in service.people:
                await person.http.aclose()

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(
            self.database.app_url, server_settings={"search_path": "retrieval"}
        )
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def passages(self, file_id: str) -> list[asyncpg.Record]:
        return await self.sql("SELECT * FROM chunk WHERE file_id = $1 ORDER BY ordinal", UUID(file_id))


@dataclass
class Service:
    """One running process (here: event loop)."""

    world: World
    base_url: str
    app: Any
    people: list[Person] = field(default_factory=list)

    def person(self, principal: Principal | None = None) -> Person:
        self.people.append(Person(self.base_url, self.world.keys, principal or make_principal()))
        return self.people[-1]

    @property
    def state(self) -> Any:
        return self.app.api.state

    async def points(self, file_id: str) -> int:
        stored = await self.state.vectors.list_files()
        return sum(count for (_, file), count in stored.items() if file == UUID(file_id))


@contextlib.asynccontextmanager
async def worlds_over(
    service_database: Callable[[str], Any],
    tmp_path_factory: pytest.TempPathFactory,
    embedding_model_folder: Path,
) -> AsyncGenerator[Callable[[], World]]:
    """Makes worlds apart from each other, but for the embedding service."""
    keys, inference = KeyRing(), FakeInference()
    async with serve(inference, lifespan="off") as inference_url:

        def make() -> World:
            database, home = service_database("retrieval-service"), tmp_path_factory.mktemp("home")
            fields = {
                **keys.settings_fields("retrieval-service", database_url=database.app_url),
                "atrium_home": str(home),
                "inference_service_url": inference_url,
                "embedding_model_path": str(embedding_model_folder),
                "file_jobs_interval_s": 0.1,
                "ingestion_batch_chunks": 4,
            }
            return World(database, keys, home, fields, inference)

        yield make


def unique() -> str:
    """TEXT, of which no passage was embedded before."""
    return TEXT.replace("Paragraph", f"Paragraph {uuid4().hex[:6]}")
