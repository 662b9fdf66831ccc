"""A service as a process of the supervisor: uvicorn on sockets it inherits, and a line to the supervisor.

Run as `python -m atrium_local.serve --listen FD... --probe FD --line FD --drain SECONDS` in the service's folder. On the
line this process writes `L` when its code is loaded, then waits for `G` before it opens anything that only one process
may hold; `Q` says that somebody sent it SIGTERM, `R` that it holds nothing any more. The supervisor writes `E` before a
SIGTERM of its own; at any other one the process goes on serving until its successor is ready and that `E` has come.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from shared.settings import SettingsError

LOADED, GO, LEAVING, END, RELEASED = b"L", b"G", b"Q", b"E", b"R"
WRONG_SETTINGS = 2
_SETTLE_S = 0.03
_CLOSING_LOOKS, _CLOSING_LOOK_S = 20, 0.002

Send = Callable[[Any], Any]


class Line:
    """Our end of the line to the supervisor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)

    def tell(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(word)

    def wait_go(self) -> None:
        """Returns when it is our turn. Ends this process when the supervisor is gone or has no use for it any more."""
        if self._socket.recv(1) != GO:
            sys.exit(0)
        self._socket.setblocking(False)

    def told_to_end(self) -> bool:
        """Whether a SIGTERM is the supervisor's, or nobody is there who would bring a successor."""
        try:
            said = self._socket.recv(16)  # whoever ends us may say so twice
            return not said or END in said
        except BlockingIOError:
            return False
        except OSError:
            return True


class InheritedServer(uvicorn.Server):
    """uvicorn that leaves only when its successor is there."""

    def __init__(self, config: uvicorn.Config, line: Line, app: Any) -> None:
        super().__init__(config)
        self._line = line
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.config.loaded_app = self._app  # without what watched its start
        inner = signal.getsignal(signal.SIGTERM)  # uvicorn's, or one that the application put before it

        def on_term(number: int, frame: FrameType | None) -> None:
            if self._line.told_to_end():
                if callable(inner):
                    inner(number, frame)
            else:
                self._line.tell(LEAVING)

        signal.signal(signal.SIGTERM, on_term)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, without its pauses, in which a successor would wait for what only one process may hold."""
        for server in self.servers:
            server.close()
        for inherited in sockets or ():
            inherited.close()
        await asyncio.sleep(_SETTLE_S)  # what was accepted a moment ago becomes a request, and is answered
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(_CLOSING_LOOKS):  # idle connections are gone in a moment; uvicorn looks only each 0.1 s
            if self.server_state.connections:
                await asyncio.sleep(_CLOSING_LOOK_S)
        try:
            await asyncio.wait_for(self._wait_tasks_to_complete(), timeout=self.config.timeout_graceful_shutdown)
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel(msg="it took longer than a shutdown waits")
        await self.lifespan.shutdown()
        self._line.tell(RELEASED)


class WrongSettings:
    """The application, remembering that its start failed because of settings; then no traceback is worth reading."""

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
    config.load()
    app = cast("Any", config.loaded_app)  # pyright: ignore[reportUnknownMemberType] - any ASGI callable
    config.loaded_app = watched = WrongSettings(app)
    line.tell(LOADED)
    line.wait_go()
    sockets = [socket.socket(fileno=descriptor) for descriptor in (*options.listen, options.probe)]
    try:
        InheritedServer(config, line, app).run(sockets=sockets)
    except SystemExit:
        if watched.reason is None:
            raise
        print(f"{Path.cwd().name} cannot start: {watched.reason}", file=sys.stderr, flush=True)
        return WRONG_SETTINGS
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="atrium_local.serve")
    parser.add_argument("--listen", type=int, nargs="+", required=True)
    parser.add_argument("--probe", type=int, required=True)
    parser.add_argument("--line", type=int, required=True)
    parser.add_argument("--drain", type=int, required=True)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
