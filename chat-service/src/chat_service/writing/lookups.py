"""Looking up passages for a reply."""

import asyncio
import logging
from collections.abc import Sequence

from shared.auth.principal import Principal
from shared.clients.retrieval import RetrievalClient
from shared.contracts.chat import MessageError
from shared.contracts.retrieval import Passage, SearchRequest
from shared.errors import AppError, NotFound, Unavailable
from shared.replies.waiting import ServiceAwayError

from chat_service.references.service import References, ReplySources
from chat_service.settings import ChatSettings
from chat_service.writing.queries import fused
from chat_service.writing.specs import TurnFailedError

log = logging.getLogger(__name__)


class LookUps:
    """Searches as the person. One instance per process."""

    def __init__(self, retrieval: RetrievalClient, references: References, settings: ChatSettings) -> None:
        self._retrieval = retrieval
        self._references = references
        self._k = settings.rag_k
        self._rerank = settings.rag_rerank

    async def search(
        self, principal: Principal, queries: Sequence[str], sources: ReplySources
    ) -> list[Passage]:
        """The best passages of what is left of `sources` by all `queries`, asked at once. Raises:
        ServiceAwayError, TurnFailedError.
        """
        try:
            try:
                return await self._ask(principal, queries, sources)
            except NotFound:
                # A file or knowledge base was deleted since it was chosen; the rest still answers.
                left = await self._references.still_there(principal, sources)
                return await self._ask(principal, queries, left) if left else []
        except Unavailable as error:
            detail = (
                "the documents cannot be searched at the moment; your message is kept, regenerate tries again"
            )
            raise ServiceAwayError(
                TurnFailedError(MessageError(code="retrieval_unavailable", detail=detail, status=503))
            ) from error
        except AppError as error:
            raise TurnFailedError(message_error(error)) from error

    async def _ask(
        self, principal: Principal, queries: Sequence[str], sources: ReplySources
    ) -> list[Passage]:
        """By those queries that are answered. Raises: AppError when none is, NotFound when a source
        is gone.
        """
        answers = await asyncio.gather(
            *(self._ask_one(principal, query, sources) for query in queries), return_exceptions=True
        )
        found = [answer for answer in answers if not isinstance(answer, BaseException)]
        for answer in answers:
            if isinstance(answer, BaseException):
                if not found or isinstance(answer, NotFound) or not isinstance(answer, AppError):
                    raise answer
                log.warning("one of the searches for a reply failed", extra={"reason": answer.code})
        return fused(found, k=self._k)

    async def _ask_one(self, principal: Principal, query: str, sources: ReplySources) -> list[Passage]:
        request = SearchRequest(
            query=query,
            knowledge_base_ids=list(sources.knowledge_base_ids),
            file_ids=list(sources.file_ids),
            k=self._k,
            rerank=self._rerank,
        )
        return (await self._retrieval.search(principal, request)).data


def message_error(error: AppError) -> MessageError:
    """What another service refused, as a reply shows it."""
    return MessageError(code=error.code, detail=error.detail, status=error.status, extra=error.extra)
