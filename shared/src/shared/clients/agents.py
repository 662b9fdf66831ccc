"""Calls to agent-service: chat begins runs, follows them and stops them."""

from collections.abc import AsyncGenerator
from uuid import UUID

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import ServiceCalls
from shared.contracts.agents import Agent, InternalRunCreate, Run
from shared.http import Timeouts, UpstreamPool
from shared.sse import SseEvent, SseParser

SERVICE = "agent-service"
_ANSWER_BYTES_MAX = 8 * 1024 * 1024


class AgentClient:
    """One per process. `timeouts.idle_s` must be above the pings of a quiet run (15 s)."""

    def __init__(
        self, pool: UpstreamPool, tokens: ServiceTokens, *, base_url: str, timeouts: Timeouts
    ) -> None:
        self._calls = ServiceCalls(
            pool,
            tokens,
            service=SERVICE,
            base_url=base_url,
            timeouts=timeouts,
            answer_bytes_max=_ANSWER_BYTES_MAX,
        )

    async def agent(self, principal: Principal, agent_id: UUID) -> Agent:
        """Raises: NotFound and other AppErrors."""
        return await self._calls.call_for(Agent, "GET", f"/api/v1/agents/{agent_id}", principal)

    async def start(self, principal: Principal, body: InternalRunCreate) -> Run:
        """Begin the run, or find it begun. Raises: AppError."""
        return await self._calls.call_for(Run, "POST", "/internal/v1/runs", principal, body)

    async def cancel(self, principal: Principal, run_id: UUID) -> None:
        """Ask the run to end. Raises: AppError."""
        await self._calls.call("POST", f"/api/v1/agents/runs/{run_id}/cancel", principal, {})

    async def delete_run(self, principal: Principal, run_id: UUID) -> None:
        """The run ends when it is still running, and is deleted with its files. Raises: AppError."""
        await self._calls.call("DELETE", f"/api/v1/agents/runs/{run_id}", principal)

    async def run(self, principal: Principal, run_id: UUID) -> Run:
        """Raises: NotFound and other AppErrors."""
        return await self._calls.call_for(Run, "GET", f"/api/v1/agents/runs/{run_id}", principal)

    async def events(self, principal: Principal, run_id: UUID, *, after: int) -> AsyncGenerator[SseEvent]:
        """The events of a run above `after`, each id once and in order, until the run has ended or the
        connection breaks.

        Raises:
            AppError: refused.
            UpstreamError: it did not answer, or broke off; ask again with the last id.
        """
        async with self._calls.stream(
            "GET", f"/api/v1/agents/runs/{run_id}/events?after={after}", principal
        ) as response:
            if response.status != 200:
                raise self._calls.refusal(response.status, await response.read(_ANSWER_BYTES_MAX))
            parser = SseParser()
            while chunk := await response.next_chunk():
                for event in parser.feed(chunk):
                    yield event
