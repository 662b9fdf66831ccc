"""What a turn waits for before anything was dispatched: a model that loads, a service that is away for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from shared.clients.completions import CompletionRefusedError, ModelNotReadyError
from shared.clock import monotonic_s
from shared.contracts.chat import MessageError
from shared.http import UpstreamConnectError
from shared.outages import is_outage

from chat_service.settings import ChatSettings
from chat_service.turns.specs import Running, ServiceAwayError

_AGAIN_S = 0.5
_RETRY_LEAST_S = 0.1

T = TypeVar("T")


class Waits:
    """The waits of one turn. Each says what is waited for, once, and ends with what the turn fails of.

    A model that loads is waited for as long as it needs; a service that is away, for seconds: from its first refusal on.
    """

    def __init__(self, running: Running, settings: ChatSettings) -> None:
        self._running = running
        self._settings = settings
        self._began_s = monotonic_s()
        self._away_since_s: float | None = None

    async def model(self, wait: ModelNotReadyError) -> None:
        """Pause until the model may be asked again. Raises: CompletionRefusedError when it took too long."""
        if wait.reason == "service_away":
            await self.service_away(CompletionRefusedError(_still_away()), retry_after_s=wait.retry_after_s)
            return
        self._away_since_s = None
        waited_s = monotonic_s() - self._began_s
        if waited_s >= self._settings.model_wait_max_s:
            raise CompletionRefusedError(_still_not_ready(wait, waited_s)) from wait
        self.show(wait.reason, None if wait.progress is None else wait.progress.model_dump(exclude_none=True))
        await asyncio.sleep(min(max(wait.retry_after_s, _RETRY_LEAST_S), self._settings.model_retry_max_s))

    async def service_away(self, error: Exception, *, retry_after_s: float = _AGAIN_S) -> None:
        """Pause until the service may be back. Raises: `error` when it was away for too long."""
        now_s = monotonic_s()
        self._away_since_s = now_s if self._away_since_s is None else self._away_since_s
        left_s = self._settings.provider_connect_wait_max_s - (now_s - self._away_since_s)
        if left_s <= 0:
            raise error
        self.show("service_away", None)
        await asyncio.sleep(min(max(retry_after_s, _RETRY_LEAST_S), _AGAIN_S, left_s))

    async def through(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked again while the database or a service it needs is away. Raises: what it raised last."""
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

    def show(self, reason: str, progress: dict[str, Any] | None) -> None:
        """Tell the reader what is waited for, when that changed."""
        shown = repr((reason, progress))
        if shown == self._running.waiting_shown:
            return
        self._running.waiting_shown = shown
        if self._running.spec.run is None:
            self._running.live.emit("waiting", {"reason": reason, "progress": progress})
        else:
            self._running.live.tell_waiting(reason, progress)


def _still_not_ready(wait: ModelNotReadyError, waited_s: float) -> MessageError:
    detail = f"the model was not ready within {waited_s:.0f} s; regenerate tries again, or choose another model"
    return MessageError(code=wait.reason, detail=detail, status=503)


def _still_away() -> MessageError:
    detail = "a service that replies need does not answer; your message is kept, nothing was charged, regenerate tries again"
    return MessageError(code="service_away", detail=detail, status=503)
