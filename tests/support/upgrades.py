"""Durable work of processes of several versions, one of which is this test."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from shared.durable import DurableEngine, Queue
from suite.waiting import eventually

from shared import durable

QUEUE = "one at a time"


# Makes processes of other versions, each a fork of one that has imported everything: a line of JSON asks for
# one, its id is the answer. Workflows write lines to the log; `at` names where they stop, or where the
# process kills itself in a take-over.
OTHERS = """
import asyncio, gc, json, os, signal, sys
import sqlalchemy as sa
from shared import durable
from shared.durable import DurableEngine, Queue

async def main(url, log, version, at, orders):
    def note(line):
        with open(log, "a") as sink:
            sink.write(line + "\\n")

    async def steps(argument):
        for number in range(4):
            async def work(number=number):
                note(f"{argument} {number} begun by {version}")
                if at == f"step {number}":
                    await asyncio.sleep(60)
                if at == f"slow {number}":
                    await asyncio.sleep(1)
                if at == f"fail {number}":
                    await asyncio.sleep(1)
                    note(f"{argument} {number} failed in {version}")
                    raise OSError
                note(f"{argument} {number} done by {version}")
            await durable.step(f"{version}: {number}", work, attempts=9, pause_s=0.01)

    async def asks(argument):
        note(f"{argument} asks in {version}")
        heard = await durable.receive("answer", timeout_s=60)
        note(f"{argument} heard {heard} in {version}")
        await durable.step("think", asyncio.Event().wait)

    async def sleeps(argument):
        note(f"{argument} sleeps in {version}")
        await durable.pause(60)

    def die(connection, cursor, statement, *rest):
        if at in statement:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = DurableEngine(service="agent-service", database_url=url, schema="agent_dbos", version=version,
        executor_id="other")
    for work in (steps, asks, sleeps):
        engine.register(work.__name__, work)
    engine.add_queue(Queue("one at a time", 1))
    await engine.launch()
    for order in orders:
        kind, workflow_id, queue = order
        if kind == "send":
            await engine.send(workflow_id, "answer", "yes", key="k")
        elif kind == "take over":
            durable._GONE_AFTER_S = 0.1
            sa.event.listen(sa.Engine, "before_cursor_execute", die)
            while not await engine.take_over():
                await asyncio.sleep(0.05)
            note("took over")
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            await engine.start(kind, workflow_id, workflow_id=workflow_id, queue=queue)
    await asyncio.sleep(100)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
gc.freeze()
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            asyncio.run(main(*json.loads(line)))
        finally:
            os._exit(1)
    print(child, flush=True)
"""


Order = tuple[str, str, str | None]


class Other:
    """A process of another version."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    def lives(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        await self.died()

    async def died(self) -> None:
        await eventually(lambda: not self.lives())


class World:
    """One database, the log of all processes over it, and what makes them."""

    def __init__(self, url: str, log: Path, maker: asyncio.subprocess.Process) -> None:
        self.url = url
        self.log = log
        self._maker = maker
        self.others: list[Other] = []

    async def other(self, *orders: Order, version: str = "1", at: str) -> Other:
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self._maker.stdin.write(f"{json.dumps([self.url, str(self.log), version, at, orders])}\n".encode())
        self.others.append(Other(int(await self._maker.stdout.readline())))
        return self.others[-1]

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    async def until(self, *lines: str) -> None:
        await eventually(lambda: set(lines) <= set(self.lines))

    @contextlib.asynccontextmanager
    async def engine(self, version: str = "2") -> AsyncGenerator[DurableEngine]:
        """The engine of this process. Its workflows do what the other's do, in another order, and end."""
        engine = DurableEngine(
            service="agent-service",
            database_url=self.url,
            schema="agent_dbos",
            version=version,
            executor_id="this",
        )
        for kind in (self._steps, self._asks, self._sleeps):
            engine.register(kind.__name__.removeprefix("_"), kind)
        engine.add_queue(Queue(QUEUE, 1))
        await engine.launch()
        try:
            yield engine
        finally:
            await engine.close()

    def note(self, line: str) -> None:
        with self.log.open("a") as sink:
            sink.write(f"{line}\n")

    def done(self) -> list[str]:
        return [
            line.rpartition(" done by ")[0]
            for line in self.log.read_text().splitlines()
            if " done by " in line
        ]

    async def _steps(self, argument: Any) -> None:
        async def work(number: int) -> None:
            # As the services do: what is recorded as done is not done again.
            if f"{argument} {number}" not in self.done():
                self.note(f"{argument} {number} done by 2")

        for number in range(4):
            await durable.step(f"look {number}", nothing)
            await durable.step(f"do {number}", lambda number=number: work(number))

    async def _asks(self, argument: Any) -> None:
        heard = await durable.receive("answer", timeout_s=20)
        await durable.step("after", nothing)
        self.note(f"{argument} heard {heard} in 2")

    async def _sleeps(self, argument: Any) -> None:
        await durable.step("before", nothing)
        await durable.pause(0.1)
        self.note(f"{argument} woke in 2")


async def nothing() -> None: ...
