"""A supervised server of a few lines, and somebody who asks it all the time."""

import asyncio
import os
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from atrium_local.life import Answer, Life, Spec
from atrium_local.listeners import Listener
from atrium_local.probes import answers_http, http_health
from atrium_local.stack import _free_ports
from atrium_local.supervised import Supervised

PATIENCE_S = 20.0


APP = """
import asyncio, os
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from suite.waiting import eventually
from shared.succession import Succession

OWNED = Path("owned")

def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

class App:
    def __init__(self):
        self.state = SimpleNamespace(succession=Succession())

    async def own(self, stack):
        assert not (EXCLUSIVE and OWNED.exists() and alive(int(OWNED.read_text()))), "two at a time"
        if Path("broken").exists():
            raise OSError("it is broken")
        OWNED.write_text(str(os.getpid()))
        stack.callback(OWNED.unlink, missing_ok=True)
        stack.push_async_callback(self.keep)

    async def keep(self):
        while Path("keep").exists():
            await asyncio.sleep(0.01)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            if Path("wrong").exists():
                from shared.settings import SettingsError
                raise SettingsError("NUMBER_OF_CATS must be even")
            async with self.state.succession.owning(self.own):
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        waits = scope["path"] == "/readyz" and self.state.succession.waits
        await send({"type": "http.response.start", "status": 503 if waits else 200, "headers": []})
        if scope["path"] == "/stream":
            for _ in range(20):
                await send({"type": "http.response.body", "body": b"piece ", "more_body": True})
                await asyncio.sleep(0.1)
        if scope["path"] == "/kept":
            while Path("streams").exists():
                await send({"type": "http.response.body", "body": b"piece ", "more_body": True})
                await asyncio.sleep(0.01)
        if scope["path"] == "/owned":
            async with self.state.succession.using():
                pass
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

app = App()
"""


class Watched:
    """One supervised service and who asks it."""

    def __init__(self, process: Supervised, url: str, folder: Path) -> None:
        self.process = process
        self.url = url
        self.folder = folder

    def pid(self) -> int:
        assert self.process.identity is not None
        return self.process.identity.pid


@asynccontextmanager
async def running(tmp_path: Path, *, exclusive: bool = False, drain_s: int = 10) -> AsyncIterator[Watched]:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(f"EXCLUSIVE = {exclusive}\n{textwrap.dedent(APP)}")
    port = _free_ports(["app"])["app"]
    listener = Listener.open("cats-service", "127.0.0.1", port, variable="CATS_PORT")

    async def ready(life: Life) -> bool:
        return life.probe_port is not None and await answers_http(life.probe_port, "/readyz")

    async def health(life: Life) -> Answer:
        return await http_health(life.probe_port or 0, "/healthz")

    spec = Spec(
        name="cats-service",
        command=[sys.executable, "-m", "atrium_local.serve", "--drain", str(drain_s)],
        environment=lambda: dict(os.environ),
        cwd=tmp_path,
        log_path=tmp_path / "cats.log",
        port=port,
        ready=ready,
        health=health,
        listener=listener,
        exclusive=exclusive,
        wrong_settings_status=2,
        stop_patience_s=drain_s + 5,
    )
    process = Supervised(spec, lambda _: None)
    task = asyncio.create_task(process.run())
    try:
        yield Watched(process, f"http://127.0.0.1:{port}", tmp_path)
    finally:
        await process.stop()
        await task
        listener.close()


@asynccontextmanager
async def asked_all_the_time(url: str) -> AsyncIterator[list[httpx.Response]]:
    """One request after the other while the block runs, each on a connection of its own; none may fail."""
    answers: list[httpx.Response] = []

    async def ask() -> None:
        async with httpx.AsyncClient(
            trust_env=False, timeout=PATIENCE_S, limits=httpx.Limits(max_keepalive_connections=0)
        ) as http:
            while True:
                answers.append(await http.get(url))
                await asyncio.sleep(0.005)

    asking = asyncio.create_task(ask())
    try:
        yield answers
    finally:
        if asking.done():
            asking.result()
        asking.cancel()


def owner(folder: Path) -> int:
    return int((folder / "owned").read_text())
