"""An object store over S3 in tests, and a relay that can break the way to it."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store


class S3Server:
    """A real SeaweedFS with one bucket on free ports of the loopback; its data ends with it."""

    access_key_id = "key-of-the-tests"
    secret_access_key = "secret-of-the-tests"
    bucket = "atrium"
    _ports = ("master", "volume", "filer", "s3", "admin")

    def __init__(self, weed: str, folder: Path) -> None:
        self._folder = folder
        numbers = free_ports(2 * len(self._ports))
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


def free_ports(count: int) -> list[int]:
    """TCP ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


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
