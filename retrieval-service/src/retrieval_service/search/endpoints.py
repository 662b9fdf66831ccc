"""HTTP of search."""

from typing import Annotated

from fastapi import APIRouter, Depends
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.retrieval import SearchRequest, SearchResponse

from retrieval_service.search.dependencies import SearcherDep
from retrieval_service.vectors.dependencies import uses_vectors

Reader = Annotated[Principal, Depends(require(Permission.FILES_READ))]

router = APIRouter(prefix="/api/v1/retrieval", tags=["search"])


@router.post(
    "/search", summary="Find passages in your files and knowledge bases", dependencies=[Depends(uses_vectors)]
)
async def search(body: SearchRequest, searcher: SearcherDep, principal: Reader) -> SearchResponse:
    return await searcher.search(principal, body)
