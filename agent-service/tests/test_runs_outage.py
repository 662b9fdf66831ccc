"""A database that restarts, or is away for a moment, ends no run."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import runs_service
from agent_runs import Service
from agent_service.main import create_app
from agent_service.settings import AgentSettings
from identities import KeyRing
from servers import serve

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.faults]

AWAY_S = 0.8


class Door:
    """A way to the database that can be shut: connections are cut and new ones refused, as while a server
    restarts.
    """

    def __init__(self, host: str, port: int) -> None:
        # A loop of its own: the engine of workflows blocks the service's while it starts.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._open(), self._loop))

    async def shut(self) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._shut(), self._loop))

    async def remove(self) -> None:
        await self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        # The tasks of cut connections end before the loop may.
        await asyncio.sleep(0.1)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._writers |= {writer, back}
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.wait(
                {asyncio.ensure_future(_copy(reader, back)), asyncio.ensure_future(_copy(there, writer))}
            )
        for end in (writer, back):
            self._writers.discard(end)
            end.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


@contextlib.asynccontextmanager
async def behind_a_door(fields: dict[str, Any], keys: KeyRing, log: Path) -> AsyncGenerator[tuple[Any, Door]]:
    url = urlsplit(fields["database_url"])
    door = Door(url.hostname or "", url.port or 0)
    await door.open()
    through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{door.port}")).geturl()
    await asyncio.to_thread(log.write_text, "")
    app = create_app(
        AgentSettings(**{**fields, "database_url": through}),
        toolbox=runs_service.ScriptedToolbox(log),
    )
    async with serve(app) as base_url:
        service = Service(base_url, app, keys, log)
        try:
            yield service, door
        finally:
            for person in service.people:
                await person.http.aclose()
    await door.remove()


async def test_runs_wait_for_a_database_that_is_away_and_go_on(
    runs_fields: dict[str, Any], keys: KeyRing, others: Any, play: Any, tmp_path: Path
) -> None:
    """Whatever a run is at when it happens: it writes, a tool works, or it is between two steps."""
    async with behind_a_door(runs_fields, keys, tmp_path / "log") as (service, door):
        people = [service.person() for _ in range(6)]
        agents = [await each.new_agent("slow") for each in people]
        tool = play.calls(("slow", {"seconds": 0.5}), text="Wait.")
        answer = play.says(*[f"{number} " for number in range(40)], gap_s=0.05)

        async def by_what_is_done(others: Any, dispatch: Any) -> None:
            is_done = dispatch.body["messages"][-1]["role"] == "tool"
            await (answer if is_done else tool)(others, dispatch)

        others.default = by_what_is_done
        runs: list[str] = []
        for each, agent in zip(people, agents, strict=True):
            runs.append(await begin(each, agent))
            await asyncio.sleep(0.15)  # so that they are not all at the same
        for pause_s in (0.1, 0.5):
            await asyncio.sleep(pause_s)
            await door.shut()
            await asyncio.sleep(AWAY_S)
            await door.open()
        for each, run_id in zip(people, runs, strict=True):
            run = await until_over(each, run_id)
            assert (run["status"], run["error"]) == ("complete", None)
            assert run["output"].startswith("Wait.\n\n0 1 2")
            events = await each.events(run_id)
            assert [event.id for event in events] == list(range(1, run["last_event_id"] + 1))
            assert play.text_of(events) == run["output"]
            assert [step["status"] for step in run["steps"] if step["kind"] == "tool"][-1] == "done"


async def until_over(person: Any, run_id: str) -> dict[str, Any]:
    """As a client does that bears a 503."""
    async with asyncio.timeout(40):
        while True:
            answer = await person.http.get(f"/api/v1/agents/runs/{run_id}")
            if answer.status_code == 200 and answer.json()["ended_at"] is not None:
                return answer.json()
            assert answer.status_code in {200, 503}, answer.text
            await asyncio.sleep(0.1)


async def begin(person: Any, agent: str) -> str:
    async with person.stream(agent) as (run_id, _):
        return run_id
