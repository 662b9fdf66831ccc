"""HTTP of passages."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page

from retrieval_service.chunks import service
from retrieval_service.chunks.schemas import Chunk, ChunkInContext

Reader = Annotated[Principal, Depends(require(Permission.FILES_READ))]

router = APIRouter(prefix="/api/v1/retrieval/files/{file_id}/chunks", tags=["files"])


@router.get("", summary="The passages of a file, in reading order")
async def list_chunks(
    file_id: UUID, session: SessionDep, principal: Reader, limit: Limit = 50, after: After = None
) -> Page[Chunk]:
    return await service.list_page(session, principal, file_id, after=after, limit=limit)


@router.get("/{chunk_id}", summary="One passage with what stands around it")
async def read_chunk(file_id: UUID, chunk_id: UUID, session: SessionDep, principal: Reader) -> ChunkInContext:
    return await service.read(session, principal, file_id, chunk_id)
