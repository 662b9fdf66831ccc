"""What a reply waits for before anything was dispatched: a model that loads, a service that is away for a
moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from shared.clients.completions import CompletionRefusedError, ModelNotReadyError
from shared.clock import monotonic_s
from shared.contracts.chat import LoadProgress
from shared.http import UpstreamConnectError
from shared.outages import is_outage
from shared.replies import failures

_AGAIN_S = 0.5
_RETRY_LEAST_S = 0.1

T = TypeVar("T")


class ServiceAwayError(Exception):
    """A service did not answer; asked again it may. `failure` is raised when it stays away."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(str(failure))
        self.failure = failure


class WaitLimits(Protocol):
    """The settings that bound the waits, in seconds."""

    @property
    def model_wait_max_s(self) -> float: ...
    @property
    def model_retry_max_s(self) -> float: ...
    @property
    def provider_connect_wait_max_s(self) -> float: ...


class ShowWaiting(Protocol):
    """Tells the reader what is waited for: a reason of WaitingEventData, and how far a download is."""

    def __call__(self, reason: str, progress: LoadProgress | None) -> None: ...


class Waits:
    """The waits of one reply. Each is shown once, and ends with what the reply fails of.

    A model that loads is waited for as long as it needs; a service that is away, for seconds from its first
    refusal on.
    """

    def __init__(self, limits: WaitLimits, show: ShowWaiting) -> None:
        self._limits = limits
        self._show = show
        self._shown: tuple[str, LoadProgress | None] | None = None
        self._began_s = monotonic_s()
        self._away_since_s: float | None = None

    async def model(self, wait: ModelNotReadyError) -> None:
        """Pause until the model may be asked again. Raises: CompletionRefusedError when it took too long."""
        if wait.reason == failures.SERVICE_AWAY:
            await self.service_away(
                CompletionRefusedError(failures.service_away()), retry_after_s=wait.retry_after_s
            )
            return
        self._away_since_s = None
        waited_s = monotonic_s() - self._began_s
        if waited_s >= self._limits.model_wait_max_s:
            raise CompletionRefusedError(failures.model_not_ready(wait.reason, waited_s=waited_s)) from wait
        self._show_once(wait.reason, wait.progress)
        await asyncio.sleep(min(max(wait.retry_after_s, _RETRY_LEAST_S), self._limits.model_retry_max_s))

    async def service_away(self, error: Exception, *, retry_after_s: float = _AGAIN_S) -> None:
        """Pause until the service may be back. Raises: `error` when it was away for too long."""
        now_s = monotonic_s()
        self._away_since_s = now_s if self._away_since_s is None else self._away_since_s
        left_s = self._limits.provider_connect_wait_max_s - (now_s - self._away_since_s)
        if left_s <= 0:
            raise error
        self._show_once(failures.SERVICE_AWAY, None)
        await asyncio.sleep(min(max(retry_after_s, _RETRY_LEAST_S), _AGAIN_S, left_s))

    async def through(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked again while the database or a service it needs is away. Raises: what it
        raised last.
        """
        while True:
            try:
                answer = await ask()
            except ServiceAwayError as error:
                await self.service_away(error.failure)
            except UpstreamConnectError as error:
                await self.service_away(error)
            except Exception as error:
                if not is_outage(error):
                    raise
                await self.service_away(error)
            else:
                self._away_since_s = None
                return answer

    def _show_once(self, reason: str, progress: LoadProgress | None) -> None:
        if self._shown != (reason, progress):
            self._shown = (reason, progress)
            self._show(reason, progress)
