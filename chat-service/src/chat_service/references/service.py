"""Authorises files, knowledge bases and agents as the caller, by asking their owners. No transaction is open
meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.clients.agents import AgentClient
from shared.clients.retrieval import RetrievalClient
from shared.contracts.agents import Agent
from shared.contracts.chat import Attachment
from shared.contracts.retrieval import DocumentMetadata
from shared.errors import NotFound

from chat_service.references.errors import ATTACHMENTS, DocumentFailed, DocumentNotReady, ReferenceNotFound

_AT_ONCE_MAX = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReplySources:
    """What a reply may be looked up in."""

    knowledge_base_ids: tuple[UUID, ...] = ()
    file_ids: tuple[UUID, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.knowledge_base_ids or self.file_ids)


class References:
    """Ids from bodies become known objects. One instance per process."""

    def __init__(self, retrieval: RetrievalClient, agents: AgentClient) -> None:
        self._retrieval = retrieval
        self._agents = agents

    async def check_chat(
        self, principal: Principal, *, knowledge_base_ids: Iterable[UUID], agent_id: UUID | None
    ) -> None:
        """What a chat is to use is there for the caller. Raises: ReferenceNotFound and other AppErrors."""

        async def check(knowledge_base_id: UUID) -> None:
            try:
                await self._retrieval.knowledge_base(principal, knowledge_base_id)
            except NotFound:
                raise ReferenceNotFound("knowledge_base_ids", "knowledge base", knowledge_base_id) from None

        await _each(check, list(dict.fromkeys(knowledge_base_ids)))
        if agent_id is not None:
            await self.agent(principal, agent_id)

    async def agent(self, principal: Principal, agent_id: UUID) -> Agent:
        """The agent the caller may run. Raises: Forbidden, ReferenceNotFound and other AppErrors."""
        principal.require(Permission.AGENTS_RUN)
        try:
            return await self._agents.agent(principal, agent_id)
        except NotFound:
            raise ReferenceNotFound("agent_id", "agent", agent_id) from None

    async def attachments(self, principal: Principal, file_ids: Iterable[UUID]) -> list[Attachment]:
        """The files of a message, all ready. Raises: ReferenceNotFound, DocumentNotReady, DocumentFailed and
        other AppErrors.
        """

        async def attach(file_id: UUID) -> Attachment:
            try:
                document = await self._retrieval.document(principal, file_id)
            except NotFound:
                raise ReferenceNotFound(ATTACHMENTS, "file", file_id) from None
            return _ready(document)

        return await _each(attach, list(dict.fromkeys(file_ids)))

    async def still_there(self, principal: Principal, sources: ReplySources) -> ReplySources:
        """`sources` without what was deleted (or taken from the caller) since it was chosen. Raises:
        AppError.
        """

        async def knowledge_base(knowledge_base_id: UUID) -> UUID | None:
            try:
                return (await self._retrieval.knowledge_base(principal, knowledge_base_id)).id
            except NotFound:
                return None

        async def file(file_id: UUID) -> UUID | None:
            try:
                return (await self._retrieval.document(principal, file_id)).document_id
            except NotFound:
                return None

        knowledge_bases = await _each(knowledge_base, sources.knowledge_base_ids)
        files = await _each(file, sources.file_ids)
        return ReplySources(
            knowledge_base_ids=tuple(found for found in knowledge_bases if found is not None),
            file_ids=tuple(found for found in files if found is not None),
        )


def _ready(document: DocumentMetadata) -> Attachment:
    if document.stage in {"failed", "cancelled"}:
        raise DocumentFailed(document)
    if document.stage != "ready":
        raise DocumentNotReady(document)
    return Attachment(
        file_id=document.document_id,
        filename=document.filename,
        content_type=document.content_type,
        size_bytes=document.size_bytes,
    )


async def _each(ask: Callable[[UUID], Awaitable[T]], ids: Sequence[UUID]) -> list[T]:
    """The answers in order, some asked at once; all are waited for, then the first failure is raised."""
    room = asyncio.Semaphore(_AT_ONCE_MAX)

    async def one(object_id: UUID) -> T:
        async with room:
            return await ask(object_id)

    answers = await asyncio.gather(*(one(object_id) for object_id in ids), return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found
