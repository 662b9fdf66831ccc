"""One process that is kept running: started, watched, replaced without a gap, started again with growing
pauses, stopped politely.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from atrium_local.console import log_end, said, say
from atrium_local.errors import LocalError
from atrium_local.files import is_disk_full
from atrium_local.life import Life, Spec
from atrium_local.processes import ProcessIdentity

__all__ = ["Spec", "State", "Supervised"]

State = Literal["waiting", "starting", "ready", "restarting", "failed", "stopping", "stopped", "done"]

_POLL_S = 0.05
_RELEASE_POLL_S = 0.01
_PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 5.0)  # by failures in a row; the last for all that follow
_HEALTHY_S = 5.0  # who was ready for so long is started again at once
_HEALTH_INTERVAL_S = 2.0
_MISSES_MAX = 3
_OVERSLEPT_S = 1.0  # an answer that is missed while we ourselves stood still is not held against anybody
_START_GRACE_S = 60.0
# How long those who connect wait for the next life before they are told that the service is away.
_QUEUE_S = 6.0
_REPLACE_TIMEOUT_S = 60.0


class Supervised:
    """Keeps one process running. `on_change` is called after every change of state."""

    def __init__(
        self, spec: Spec, on_change: Callable[["Supervised"], None], *, adopt: ProcessIdentity | None = None
    ) -> None:
        self.spec = spec
        self.state: State = "waiting"
        self.restarts = 0
        self.last_exit: int | None = None
        self.reason: str | None = None
        self._life: Life | None = Life(spec, adopt) if adopt is not None else None
        self._on_change = on_change
        self._failures = 0
        self._misses = 0
        self._next_check = 0.0
        self._away_since: float | None = None
        self._ever_ready = False
        self._leaving: Life | None = None
        self._spare: Life | None = None
        self._stopping = asyncio.Event()
        self._ready = asyncio.Event()
        self._wake = asyncio.Event()
        self._replacing = asyncio.Lock()
        self._others: set[Life] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def identity(self) -> ProcessIdentity | None:
        """The running process, None between two lives."""
        return self._life.identity if self._life is not None else None

    @property
    def adopted(self) -> bool:
        """Whether it was found running."""
        return self._life is not None and self._life.adopted

    @property
    def wrong_settings(self) -> bool:
        """Whether it ended, never having been ready, because its settings cannot work."""
        status = self.spec.wrong_settings_status
        return status is not None and self.last_exit == status and not self._ever_ready

    async def run(self) -> None:
        """Keep it running until `stop`, or until a job is done."""
        while not self._stopping.is_set():
            try:
                await self._live()
            except Exception as error:  # noqa: BLE001 - whatever happens to one process, the others and this one go on
                self._note(f"could not be looked after: {error}")
                say(f"  {self.spec.name}: {error!r}; it is tried again")
                self._failures += 1
            if self._stopping.is_set() or self._is_done():
                break
            await self._pause()
        self._set("done" if self._is_done() else "stopped")

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether it became ready in time; False at once when its settings cannot work."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self._ready.is_set() and not self.wrong_settings:  # noqa: ASYNC110 - either of two things
                    await asyncio.sleep(_POLL_S)
        return self._ready.is_set()

    def wake(self) -> None:
        """What it may have waited for is there: do not wait for the end of the pause."""
        self._failures = 0
        self._wake.set()

    async def replace(self, reason: str) -> None:
        """Put a new process in its place; who connects meanwhile is served by one or the other.

        Raises: LocalError when the new one does not come up; then the old one continues where that can be.
        """
        async with self._replacing:
            old = self._life
            if old is None or old.adopted or self._stopping.is_set():
                raise LocalError(f"{self.spec.name} is not running under this supervisor.")
            self.reason = reason
            if self.spec.listener is None:
                self._ready.clear()
                await old.end()
            elif self.spec.exclusive:
                await self._hand_over(old)
            else:
                await self._overlap(old)
        if not await self.wait_ready(_REPLACE_TIMEOUT_S):
            raise LocalError(
                f"{self.spec.name} did not become ready: {self.last_log_line()} (log: {self.spec.log_path})"
            )

    async def stop(self) -> None:
        """End the process; one that was adopted continues without us."""
        self._stopping.set()
        lives = [life for life in (self._life, *self._others) if life is not None and not life.adopted]
        if lives:
            self._set("stopping")
            await asyncio.gather(*(life.end() for life in lives))
        if self.spec.listener is not None:
            self.spec.listener.hand_back()

    def kill(self) -> None:
        """End it at once, with everything it started."""
        self._stopping.set()
        for life in (self._life, *self._others):
            if life is not None and not life.adopted:
                life.kill()

    async def kill_if_frozen(self) -> None:
        """For the end of everything: what does not answer will not end by itself either."""
        life, ask = self._life, self.spec.health
        if ask is None or life is None or life.adopted or life.ready_since is None:
            return
        if await ask(life) == "silent":
            self._stopping.set()
            life.kill()

    def last_log_line(self) -> str:
        """The end of its log, for a message."""
        return said(log_end(self.spec.log_path))[0] or "no log"

    def last_complaint(self) -> str:
        """The end of its log when that may say why it ended; nothing when it is everyday news."""
        text, everyday = said(log_end(self.spec.log_path))
        return "" if everyday else text

    # One life after the other

    async def _live(self) -> None:
        """Start it unless it runs, and return when it has ended."""
        if self._life is None:
            self._adopt_life(self._take_spare() or Life.start(self.spec))
            self._set("starting")
        while (life := self._life) is not None and life.alive():
            await self._look_at(life)
            await asyncio.sleep(_POLL_S)
        self._bury()

    async def _look_at(self, life: Life) -> None:
        if life.ready_since is None:
            if await life.is_ready():
                self._is_up(life)
            elif time.monotonic() - life.began < _START_GRACE_S:
                if not life.is_loaded():
                    await self._answer_for(self._away_since)
                return
        if life is not self._leaving and life.wants_to_leave():
            self._leaving = life
            self._spawn_task(self._replace_leaving())
        given_up = self._misses >= _MISSES_MAX  # killed, and not gone yet: the spare would answer in its name
        if self.spec.health is None or life.adopted or given_up:
            return
        if time.monotonic() >= self._next_check:
            await self._check(life)

    def _adopt_life(self, life: Life) -> None:
        self._life = life
        self._leave_spare()
        self._ready.clear()
        self._misses, self._next_check = 0, time.monotonic() + _HEALTH_INTERVAL_S

    def _is_up(self, life: Life) -> None:
        life.ready_since = time.monotonic()
        self._away_since, self._ever_ready = None, True
        if self.spec.listener is not None:
            self.spec.listener.hand_back()
        self._ready.set()
        self._set("ready")

    async def _check(self, life: Life) -> None:
        """Ask how it is; kill it when it has not answered three times in a row. The next life follows as
        after any death.
        """
        asked = time.monotonic()
        self._next_check = asked + _HEALTH_INTERVAL_S
        answer = await self.spec.health(life) if self.spec.health is not None else "good"
        missed = answer == "silent" or (answer == "refused" and self.spec.listener is not None)
        if not missed or life is not self._life:
            self._misses = 0
            self._leave_spare()
            return
        if time.monotonic() - asked > _HEALTH_INTERVAL_S + _OVERSLEPT_S:
            return
        self._misses += 1
        if self._misses >= _MISSES_MAX and not self._stopping.is_set():
            self._note(f"did not answer {_MISSES_MAX} health checks")
            life.kill()
        elif (
            self._misses == _MISSES_MAX - 1 and self.spec.listener is not None and not self._stopping.is_set()
        ):
            self._prepare_spare()

    def _prepare_spare(self) -> None:
        """It is silent: the next life starts before this one is given up, and already answers those who
        connect.
        """
        self._leave_spare()
        with contextlib.suppress(
            LocalError
        ):  # without room for a second one, it starts when the first has ended
            self._spare = self._begin_other(at_once=not self.spec.exclusive)

    def _take_spare(self) -> Life | None:
        """The life that was prepared, whose turn it is now."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        self._others.discard(spare)
        if not spare.alive():
            spare.close()
            return None
        spare.go()
        return spare

    def _leave_spare(self) -> None:
        """It is not needed after all; what it was asked meanwhile it answers."""
        spare, self._spare = self._spare, None
        if spare is not None:
            self._spawn_task(self._retire(spare))

    def _bury(self) -> None:
        life, self._life = self._life, None
        if life is None:
            return
        self.last_exit = life.exit_status
        if life.ready_since is not None:
            self._away_since = time.monotonic()
        self._failures = 0 if life.ready_for_s >= _HEALTHY_S else self._failures + 1
        if self._misses < _MISSES_MAX:
            self._note("ended" if self.last_exit is None else f"ended with status {self.last_exit}")
        life.close()
        self._ready.clear()

    def _is_done(self) -> bool:
        return self.spec.one_shot and self.last_exit == 0

    async def _pause(self) -> None:
        """Wait before the next life: nothing after a good one, longer after each that failed, never longer
        than seconds.

        The wait ends when what was missing is there again: a database that came back, space on a disk that
        was full.
        """
        self.restarts += 1
        self._set(
            "failed"
            if self.last_exit is not None and self.last_exit == self.spec.wrong_settings_status
            else "restarting"
        )
        self._wake.clear()
        until = time.monotonic() + _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
        was_full = is_disk_full(self.spec.log_path.parent)
        while time.monotonic() < until and not self._stopping.is_set() and not self._wake.is_set():
            await self._answer_for(self._away_since)
            if was_full and not is_disk_full(self.spec.log_path.parent):
                self._failures = 0
                return
            await asyncio.sleep(_POLL_S)

    async def _answer_for(self, away_since: float | None) -> None:
        """Tell those who connect that it is away, unless the next life is expected in a moment."""
        listener = self.spec.listener
        if listener is not None and (away_since is None or time.monotonic() - away_since > _QUEUE_S):
            await listener.stand_in()

    # Two lives at a time

    async def _overlap(self, old: Life) -> None:
        """The new process works before the old one stops to accept."""
        new = self._begin_other(at_once=True)
        try:
            await self._until(new, new.is_ready)
        except LocalError:
            await self._drop(new)
            raise
        self._others.discard(new)
        before, failed_meanwhile = self._life, old is not self._life
        self._adopt_life(new)
        self.restarts += 1
        self._is_up(new)
        self._on_change(self)
        if before is not None and not failed_meanwhile:
            self._spawn_task(self._retire(before))
        elif before is not None:  # started after the old one died
            self._spawn_task(self._drop(before))

    async def _hand_over(self, old: Life) -> None:
        """The new process answers when the old one is told to end, and opens what only one may own as soon as
        that has let go of it.
        """
        new = self._begin_other(at_once=False)

        async def loaded() -> bool:
            return new.is_loaded()

        try:
            await self._until(new, loaded)
        except LocalError:
            await self._drop(new)
            raise
        self._others.discard(new)
        old = self._life or old  # another one, when it died meanwhile
        self._others.add(old)
        self._away_since = time.monotonic()
        self._adopt_life(new)
        self.restarts += 1
        self._set("starting")
        self._spawn_task(self._retire(old))
        while not old.has_released():  # noqa: ASYNC110 - it says so on its line, or ends
            await asyncio.sleep(_RELEASE_POLL_S)
        new.go()

    def _begin_other(self, *, at_once: bool) -> Life:
        try:
            new = Life.start(self.spec, at_once=at_once)
        except OSError as error:
            raise LocalError(f"{self.spec.name} could not be started: {error}") from error
        self._others.add(new)
        return new

    async def _until(self, life: Life, condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        """Raises: LocalError when the process ends before that, or takes too long."""
        deadline = time.monotonic() + _REPLACE_TIMEOUT_S
        while not await condition():
            if not life.alive() or time.monotonic() > deadline:
                raise LocalError(
                    f"{self.spec.name} was not replaced: {self.last_log_line()} (log: {self.spec.log_path})"
                )
            await asyncio.sleep(_POLL_S)

    async def _drop(self, life: Life) -> None:
        life.kill()
        await life.end()
        self._others.discard(life)

    async def _retire(self, old: Life) -> None:
        self._others.add(old)
        await old.end()
        self._others.discard(old)

    async def _replace_leaving(self) -> None:
        """Somebody sent it SIGTERM: it may leave when the next one is there, or when there can be none."""
        life = self._life
        try:
            await self.replace("was asked to end")
        except LocalError as error:
            say(f"  {error}")
            if life is not None and life is self._life:
                await life.end()

    def _spawn_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, reason: str) -> None:
        self.reason = reason

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._on_change(self)
