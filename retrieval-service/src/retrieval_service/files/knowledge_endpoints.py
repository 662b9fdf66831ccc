"""HTTP of the files in a knowledge base, and of deleting one, which may take its files along."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.retrieval import DocumentMetadata, Stage
from shared.dependencies import SessionDep
from shared.pagination import After, Limit, Page

from retrieval_service.files import service
from retrieval_service.files.errors import FileNotFound
from retrieval_service.knowledge import service as knowledge
from retrieval_service.knowledge.schemas import FileLink

Reader = Annotated[Principal, Depends(require(Permission.FILES_READ))]
Writer = Annotated[Principal, Depends(require(Permission.FILES_WRITE))]

router = APIRouter(prefix="/api/v1/retrieval/knowledge-bases", tags=["knowledge bases"])


@router.delete(
    "/{knowledge_base_id}",
    status_code=204,
    summary="Delete a knowledge base; its files stay unless asked otherwise",
)
async def delete_knowledge_base(
    knowledge_base_id: UUID,
    session: SessionDep,
    principal: Writer,
    delete_files: Annotated[
        bool, Query(description="delete its files too, also from other knowledge bases")
    ] = False,
) -> None:
    if delete_files:
        await service.delete_own_in(session, principal, knowledge_base_id)
    await knowledge.delete(session, principal, knowledge_base_id)


@router.get("/{knowledge_base_id}/files", summary="Its files, newest first; of others' only what is ready")
async def list_knowledge_base_files(
    knowledge_base_id: UUID,
    session: SessionDep,
    principal: Reader,
    limit: Limit = 50,
    after: After = None,
    stage: Annotated[Stage | None, Query(description="only files at this stage")] = None,
) -> Page[DocumentMetadata]:
    return await service.list_page(
        session, principal, knowledge_base_id=knowledge_base_id, stage=stage, after=after, limit=limit
    )


@router.post(
    "/{knowledge_base_id}/files", summary="Put one of your files in; putting it in twice changes nothing"
)
async def link_file(
    knowledge_base_id: UUID, body: FileLink, session: SessionDep, principal: Writer
) -> DocumentMetadata:
    row = await service.own_file(session, principal, body.file_id, lock=True)
    await knowledge.link(session, principal, knowledge_base_id, body.file_id)
    return await service.view(session, principal, row)


@router.delete(
    "/{knowledge_base_id}/files/{file_id}", status_code=204, summary="Take a file out; the file itself stays"
)
async def unlink_file(knowledge_base_id: UUID, file_id: UUID, session: SessionDep, principal: Writer) -> None:
    if not await knowledge.unlink(session, principal, knowledge_base_id, file_id):
        raise FileNotFound
