"""PostgreSQL comes and goes under a running gateway."""

import asyncio
import contextlib
import time
from urllib.parse import urlsplit

from gateways.running import Gateway, Person, StartGateway

OURS = "datname = current_database() AND pid <> pg_backend_pid()"


async def test_connections_that_died_are_replaced_without_the_caller_noticing(
    gateway: Gateway, admin: Person
) -> None:
    memory = gateway.state.authenticator.memory
    await gateway.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
    memory.drop_all()
    assert (await admin.get("/api/v1/auth/me")).status_code == 200


async def test_a_database_out_of_reach_is_503_and_heals_by_itself(
    start_gateway: StartGateway, postgres: object
) -> None:
    async with start_gateway() as origin, relay_to(origin.settings.database_url.get_secret_value()) as relay:
        database = type("Database", (), {"app_url": relay.url, "name": origin.database.name})
        async with start_gateway(database) as gateway:
            person = await gateway.sign_up("ada")
            await relay.break_off()
            gateway.state.authenticator.memory.drop_all()
            down = [await person.get("/api/v1/auth/me"), await person.http.get("/api/v1/auth/config")]
            status = (await person.http.get("/api/v1/status")).json()
            await relay.restore()
            deadline = time.monotonic() + 10
            while (await person.get("/api/v1/auth/me")).status_code != 200:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
    for answer in down:
        assert (answer.status_code, answer.json()["code"]) == (503, "database_down")
        assert int(answer.headers["retry-after"]) >= 1
    assert status["status"] == "down"


class Relay:
    """A TCP relay in front of PostgreSQL that can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.url = ""

    async def restore(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def break_off(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, upstream_writer}
        try:
            await asyncio.gather(self._copy(reader, upstream_writer), self._copy(upstream_reader, writer))
        finally:
            self._writers -= {writer, upstream_writer}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def relay_to(url: str):
    parts = urlsplit(url)
    relay = Relay(parts.hostname or "", parts.port or 5432)
    await relay.restore()
    relay.url = url.replace(f":{parts.port}/", f":{relay.port}/")
    try:
        yield relay
    finally:
        await relay.break_off()
