"""Keeps track of what each provider serves. One that fails keeps its last list, says why, and holds up no
other.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.background import TaskTracker
from shared.clock import utc_now
from shared.errors import AppError

from inference_service.providers.protocol import CallFailure, Provider, Readiness, UpstreamModel
from inference_service.providers.registry import DISCOVERY_TIMEOUT_S

log = logging.getLogger(__name__)

TICK_S = 1.0
# A provider that is down or still loading is looked at again soon, then less and less often.
_RETRY_FIRST_S = 1.0
_ON_DEMAND_PAUSE_S = 5.0


@dataclass(slots=True)
class ProviderState:
    """What is known of one provider. Times `*_due_s` are of time.monotonic()."""

    provider: Provider
    models: list[UpstreamModel] = field(default_factory=list[UpstreamModel])
    found: Readiness = field(default_factory=lambda: Readiness("loading", "not looked at yet"))
    operator_detail: str | None = None
    checked_at: datetime | None = None
    next_due_s: float = 0.0
    retry_s: float = _RETRY_FIRST_S
    first_seen: dict[str, int] = field(default_factory=dict[str, int])  # unix seconds by model id
    looked_at_s: float = 0.0

    def readiness(self) -> Readiness:
        """What the provider itself reports, else what the last look or a call since then found."""
        own = self.provider.readiness()
        if own is not None:
            return own
        failure = self.failure_since_look()
        return self.found if failure is None else Readiness("down", failure.detail)

    def failure_since_look(self) -> CallFailure | None:
        """A call that could not reach the provider after it was last looked at."""
        failure = self.provider.failure()
        return failure if failure is not None and failure.at_s > self.looked_at_s else None


class Discovery:
    """Looks at all providers in the background, and on demand when somebody asks for a model that is not
    listed.
    """

    def __init__(self, providers: Sequence[Provider], *, interval_s: float, tasks: TaskTracker) -> None:
        self.states = [ProviderState(provider) for provider in providers]
        self.version = 0
        self._interval_s = interval_s
        self._tasks = tasks
        self._running: dict[str, asyncio.Task[None]] = {}
        self._on_demand_at_s = 0.0

    async def tick(self) -> None:
        """Start looking at every provider that is due; returns without waiting for them."""
        now_s = time.monotonic()
        for state in self.states:
            if state.next_due_s <= now_s or self._fails(state):
                self._start(state)

    @staticmethod
    def _fails(state: ProviderState) -> bool:
        """A call has just failed: looked at now, and from then on at the pace of providers that are down."""
        return state.found.status == "ready" and state.failure_since_look() is not None

    async def refresh(self) -> None:
        """Look at all providers now and wait for them; calls close together share one look."""
        now_s = time.monotonic()
        if now_s - self._on_demand_at_s < _ON_DEMAND_PAUSE_S:
            running = list(self._running.values())
        else:
            self._on_demand_at_s = now_s
            running = [self._start(state) for state in self.states]
        if running:
            await asyncio.wait(running, timeout=DISCOVERY_TIMEOUT_S)

    def _start(self, state: ProviderState) -> asyncio.Task[None]:
        running = self._running.get(state.provider.id)
        if running is None or running.done():
            running = self._running[state.provider.id] = self._tasks.spawn(
                self._look(state), f"discovery of {state.provider.id}"
            )
        return running

    async def _look(self, state: ProviderState) -> None:
        # Due again even if this look is cancelled.
        began_s = time.monotonic()
        state.next_due_s = began_s + self._interval_s
        try:
            async with asyncio.timeout(DISCOVERY_TIMEOUT_S):
                models = await state.provider.list_models()
        except AppError as error:
            self._failed(state, error.detail, error.operator_detail)
        except TimeoutError:
            self._failed(state, f"no answer within {DISCOVERY_TIMEOUT_S:.0f} s")
        else:
            self._found(state, models)
        state.looked_at_s = began_s
        state.checked_at = utc_now()

    def _found(self, state: ProviderState, models: list[UpstreamModel]) -> None:
        now = int(utc_now().timestamp())
        state.first_seen = {model.id: state.first_seen.get(model.id, now) for model in models}
        if models != state.models:
            state.models = models
            self.version += 1
        own = state.provider.readiness()
        if own is not None and own.status != "ready":
            state.next_due_s = time.monotonic() + _RETRY_FIRST_S
            return
        if state.found.status != "ready":
            log.info("provider answers", extra={"provider": state.provider.id, "models": len(models)})
        state.found = Readiness("ready")
        state.operator_detail = None
        state.retry_s = _RETRY_FIRST_S

    def _failed(self, state: ProviderState, detail: str, operator_detail: str = "") -> None:
        if state.found.status != "down":
            log.warning("provider does not answer", extra={"provider": state.provider.id, "detail": detail})
        state.found = Readiness("down", detail)
        state.operator_detail = operator_detail or None
        state.next_due_s = time.monotonic() + state.retry_s
        state.retry_s = min(state.retry_s * 2, self._interval_s)
