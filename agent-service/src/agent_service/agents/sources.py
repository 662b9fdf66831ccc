"""Whether the caller may read the knowledge bases and files a body names: retrieval-service decides, as the
caller.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from shared.auth.principal import Principal
from shared.clients.retrieval import RetrievalClient
from shared.errors import NotFound

from agent_service.agents.errors import source_not_found

_AT_ONCE_MAX = 8


class AgentSources:
    """One a process."""

    def __init__(self, retrieval: RetrievalClient) -> None:
        self._retrieval = retrieval

    async def check(
        self, principal: Principal, *, knowledge_base_ids: Sequence[UUID] = (), file_ids: Sequence[UUID] = ()
    ) -> None:
        """Raises: NotFound naming the field and the first id that cannot be read; Unavailable."""
        for field, ids, look in (
            ("knowledge_base_ids", knowledge_base_ids, self._retrieval.knowledge_base),
            ("file_ids", file_ids, self._retrieval.document),
        ):
            for source_id, refusal in zip(ids, await self._look(principal, ids, look), strict=True):
                if refusal is not None:
                    raise source_not_found(field, source_id, refusal)

    async def readable(self, principal: Principal, knowledge_base_ids: Sequence[UUID]) -> list[UUID]:
        """Those that the principal can read: an agent may name some of its owner's, or some that are gone.
        Raises: Unavailable.
        """
        refusals = await self._look(principal, knowledge_base_ids, self._retrieval.knowledge_base)
        return [
            source_id
            for source_id, refusal in zip(knowledge_base_ids, refusals, strict=True)
            if refusal is None
        ]

    async def _look(
        self, principal: Principal, ids: Sequence[UUID], look: Callable[[Principal, UUID], Awaitable[object]]
    ) -> list[NotFound | None]:
        room = asyncio.Semaphore(_AT_ONCE_MAX)

        async def one(source_id: UUID) -> NotFound | None:
            async with room:
                try:
                    await look(principal, source_id)
                except NotFound as refusal:
                    return refusal
                return None

        return list(await asyncio.gather(*(one(source_id) for source_id in ids)))
