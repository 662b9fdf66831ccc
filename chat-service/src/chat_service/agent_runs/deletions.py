"""Runs of deleted chats: asked of the agent-service until it has taken each, from the outbox row of the
deleting transaction.
"""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.clients.agents import AgentClient
from shared.clock import monotonic_s
from shared.db import Database
from shared.errors import AppError, TooManyRequests, Unavailable
from shared.outbox import append
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agent_runs import repository

TOPIC = "chat.deleted"
_RUNS_PER_EVENT = 100
_BATCH_MAX = 20
_PAUSE_LEAST_S = 0.5
_PAUSE_MOST_S = 60.0

log = logging.getLogger(__name__)


async def note(session: AsyncSession, principal: Principal, chat_id: UUID, run_ids: Sequence[UUID]) -> None:
    """The runs are to go once the caller's transaction, which deletes the chat, has committed; call `kick`
    then.
    """
    # A long chat gives several events, so that each is small and what was taken is not asked for again.
    for start in range(0, max(1, len(run_ids)), _RUNS_PER_EVENT):
        ids = list(run_ids[start : start + _RUNS_PER_EVENT])
        payload = {
            "chat_id": chat_id,
            "run_ids": ids,
            "user_id": principal.actor_id,
            "principal": principal.to_claims(),
        }
        await append(session, topic=TOPIC, key=str(chat_id), payload=payload)


class RunDeletions:
    """Delivers what `note` wrote; any number of processes run one, a run may be asked for twice."""

    def __init__(self, database: Database, agents: AgentClient, tasks: TaskTracker) -> None:
        self._database = database
        self._agents = agents
        self._tasks = tasks
        self._pause_s = _PAUSE_LEAST_S
        self._not_before_s = 0.0

    def kick(self) -> None:
        """Deliver what is there now, beside the caller."""
        self._tasks.spawn(self.run_due(), name="run deletions")

    async def run_due(self) -> None:
        """Deliver every event. No transaction is open while the agent-service is asked; while it is away it
        is asked less often.
        """
        if monotonic_s() < self._not_before_s:
            return
        async with self._database.transaction() as session:
            events = await repository.deleted_chats(session, topic=TOPIC, limit=_BATCH_MAX)
        for event_id, payload in events:
            if not await self._delivered(payload):
                self._not_before_s = monotonic_s() + self._pause_s
                self._pause_s = min(2 * self._pause_s, _PAUSE_MOST_S)
                return
            self._pause_s = _PAUSE_LEAST_S
            async with self._database.transaction() as session:
                await repository.mark_delivered(session, event_id=event_id)

    async def _delivered(self, payload: dict[str, Any]) -> bool:
        """Whether the agent-service took every run; one that is not there (or never was) is taken."""
        try:
            principal = Principal.from_claims(payload["principal"])
            for run_id in payload["run_ids"]:
                await self._delete(principal, UUID(run_id))
        except (Unavailable, TooManyRequests) as error:
            log.info(
                "runs of a deleted chat are still to be deleted",
                extra={"chat_id": payload["chat_id"], "reason": error.code},
            )
            return False
        except (KeyError, ValueError):
            log.exception(
                "runs of a deleted chat cannot be asked for", extra={"chat_id": payload.get("chat_id")}
            )
        return True

    async def _delete(self, principal: Principal, run_id: UUID) -> None:
        try:
            await self._agents.delete_run(principal, run_id)
        except (Unavailable, TooManyRequests):
            raise
        except AppError as error:
            log.info("a run needed no deletion", extra={"run_id": str(run_id), "reason": error.code})
