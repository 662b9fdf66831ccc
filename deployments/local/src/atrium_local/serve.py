"""A service as a process of the supervisor: uvicorn on sockets it inherits, and a line to the supervisor.

Run as `python -m atrium_local.serve --listen FD... --probe FD --line FD --drain SECONDS` in the service's
folder. On the line this process writes `L` when it answers; as a `--successor` it then waits for `G` before
it opens anything that only one process may own (shared.succession). `Q` says that somebody sent it SIGTERM,
`R` that it owns nothing any more, though it may still end its answers. The supervisor writes `E` before a
SIGTERM of its own; at any other one the process serves until its successor is ready and that `E` has come.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from shared.settings import SettingsError
from shared.succession import Succession

LOADED, GO, LEAVING, END, RELEASED = b"L", b"G", b"Q", b"E", b"R"
WRONG_SETTINGS = 2
NOT_OPENED = 3
_SETTLE_S = 0.03
_TICK_S = 0.1
_TICKS = 864_000
_CLOSING_LOOKS, _CLOSING_LOOK_S = 20, 0.002

log = logging.getLogger(__name__)

Send = Callable[[Any], Any]


class Line:
    """Our end of the line to the supervisor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._heard: set[int] = set()
        self.gone = False
        """Whether the supervisor is gone, or has no use for this process any more."""

    def fileno(self) -> int:
        return self._socket.fileno()

    def tell(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(word)

    def listen(self) -> None:
        """Take in what has been said."""
        try:
            words = self._socket.recv(16)
        except BlockingIOError:
            return
        except OSError:
            words = b""
        self._heard.update(words)
        self.gone = self.gone or not words

    def told_to_go(self) -> bool:
        """Whether it is our turn."""
        return GO[0] in self._heard

    def told_to_end(self) -> bool:
        """Whether a SIGTERM is the supervisor's, or nobody is there who would bring a successor."""
        self.listen()
        return END[0] in self._heard or self.gone


class InheritedServer(uvicorn.Server):
    """uvicorn that leaves only when its successor is there."""

    def __init__(self, config: uvicorn.Config, line: Line, app: Any) -> None:
        super().__init__(config)
        self._line = line
        self._app = app
        self._succession = _succession_of(app)
        self._leaving = asyncio.Event()
        self.failed = False

    def follow(self) -> None:
        """Own nothing before the supervisor says that the former process owns nothing any more."""
        if self._succession is not None:
            self._succession.follow()
            self._succession.when_failed = self._give_up

    def _give_up(self) -> None:
        self.failed = self.should_exit = True

    def _hear(self) -> None:
        self._line.listen()
        if self._line.told_to_go() and self._succession is not None:
            self._succession.take_turn()
        if self._line.gone:
            asyncio.get_running_loop().remove_reader(self._line)
            if self._succession is not None and self._succession.waits:
                self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.config.loaded_app = self._app  # without what watched its start
        gc.enable()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._line, self._hear)
        self._line.tell(LOADED)
        inner = signal.getsignal(signal.SIGTERM)  # uvicorn's, or one that the application put before it

        def on_term(number: int, frame: FrameType | None) -> None:
            if self._line.told_to_end():
                if callable(inner):
                    inner(number, frame)
                loop.call_soon_threadsafe(self._leaving.set)
            else:
                self._line.tell(LEAVING)

        signal.signal(signal.SIGTERM, on_term)

    async def main_loop(self) -> None:
        """As uvicorn's, which looks only each 0.1 s whether it is to leave."""
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % _TICKS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without its pauses, in which a successor would wait for what only one process may
        hold.
        """
        for server in self.servers:
            server.close()
        for inherited in sockets or ():
            inherited.close()
        await asyncio.sleep(_SETTLE_S)  # what was accepted a moment ago becomes a request, and is answered
        for connection in list(self.server_state.connections):
            connection.shutdown()
        releasing = asyncio.create_task(self._release())
        for _ in range(
            _CLOSING_LOOKS
        ):  # idle connections are gone in a moment; uvicorn looks only each 0.1 s
            if self.server_state.connections:
                await asyncio.sleep(_CLOSING_LOOK_S)
        try:
            await asyncio.wait_for(
                self._wait_tasks_to_complete(), timeout=self.config.timeout_graceful_shutdown
            )
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel(msg="it took longer than a shutdown waits")
        await releasing
        await self.lifespan.shutdown()
        self._line.tell(RELEASED)

    async def _release(self) -> None:
        """At once, whatever is still being answered: the successor waits for it."""
        if self._succession is None:
            return
        try:
            await self._succession.release()
        except Exception:  # the edge of the process: its answers are ended all the same
            log.exception("not everything could be let go of")
        self._line.tell(RELEASED)


def _succession_of(app: Any) -> Succession | None:
    """That of the service, which uvicorn has wrapped; None when another application is served."""
    while app is not None:
        found = getattr(getattr(app, "state", None), "succession", None)
        if isinstance(found, Succession):
            return found
        app = getattr(app, "app", None)
    return None


class WrongSettings:
    """The application, remembering that its start failed because of settings; then no traceback is worth
    reading.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.reason: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failures: list[Any] = []

        async def hold_failure(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except SettingsError as error:
            self.reason = str(error)
            await send({"type": "lifespan.startup.failed", "message": ""})
        except BaseException:
            for message in failures:
                await send(message)
            raise


def main() -> int:
    """Serve until told to end."""
    options = _options(sys.argv[1:])
    line = Line(options.line)
    config = uvicorn.Config(
        "app.main:app",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=options.drain,
        workers=1,
    )
    # Next to nothing of what a start makes is garbage, and looking for it takes a tenth of the start.
    gc.disable()
    config.load()
    app = cast("Any", config.loaded_app)  # pyright: ignore[reportUnknownMemberType] - any ASGI callable
    config.loaded_app = watched = WrongSettings(app)
    sockets = [socket.socket(fileno=descriptor) for descriptor in (*options.listen, options.probe)]
    server = InheritedServer(config, line, app)
    if options.successor:
        server.follow()
    try:
        server.run(sockets=sockets)
    except SystemExit:
        if watched.reason is None:
            raise
        print(f"{Path.cwd().name} cannot start: {watched.reason}", file=sys.stderr, flush=True)
        return WRONG_SETTINGS
    return NOT_OPENED if server.failed else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="atrium_local.serve")
    parser.add_argument("--listen", type=int, nargs="+", required=True)
    parser.add_argument("--probe", type=int, required=True)
    parser.add_argument("--line", type=int, required=True)
    parser.add_argument("--drain", type=int, required=True)
    parser.add_argument("--successor", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
