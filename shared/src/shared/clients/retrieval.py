"""Calls to retrieval-service: look something up, know a file, read its bytes."""

from uuid import UUID

from shared.auth.principal import Principal
from shared.auth.tokens import ServiceTokens
from shared.clients.calls import ServiceCalls
from shared.contracts.retrieval import DocumentMetadata, KnowledgeBase, SearchRequest, SearchResponse
from shared.http import Timeouts, UpstreamPool

SERVICE = "retrieval-service"
_ANSWER_BYTES_MAX = 32 * 1024 * 1024


class RetrievalClient:
    """One per process. What the principal may not see is NotFound, as on the service's own routes."""

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

    async def search(self, principal: Principal, request: SearchRequest) -> SearchResponse:
        """Raises: AppError."""
        return await self._calls.call_for(
            SearchResponse, "POST", "/api/v1/retrieval/search", principal, request
        )

    async def document(self, principal: Principal, file_id: UUID) -> DocumentMetadata:
        """Raises: NotFound and other AppErrors."""
        return await self._calls.call_for(
            DocumentMetadata, "GET", f"/api/v1/retrieval/files/{file_id}", principal
        )

    async def content(self, principal: Principal, file_id: UUID) -> bytes:
        """The file as it was uploaded, up to 32 MiB. Raises: AppError."""
        return await self._calls.call_raw("GET", f"/api/v1/retrieval/files/{file_id}/content", principal)

    async def knowledge_base(self, principal: Principal, knowledge_base_id: UUID) -> KnowledgeBase:
        """Raises: NotFound and other AppErrors."""
        return await self._calls.call_for(
            KnowledgeBase, "GET", f"/api/v1/retrieval/knowledge-bases/{knowledge_base_id}", principal
        )
