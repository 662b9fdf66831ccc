"""HTTP of knowledge bases."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.retrieval import DocumentMetadata, KnowledgeBase, Stage
from shared.dependencies import SessionDep
from shared.idempotency import IdempotencyKey, Operation
from shared.pagination import After, Limit, Page

from retrieval_service.files import service as files
from retrieval_service.files.errors import FileNotFound
from retrieval_service.knowledge import service
from retrieval_service.knowledge.schemas import FileLink, KnowledgeBaseCreate, KnowledgeBasePatch
from shared import idempotency

Reader = Annotated[Principal, Depends(require(Permission.FILES_READ))]
Writer = Annotated[Principal, Depends(require(Permission.FILES_WRITE))]

router = APIRouter(prefix="/api/v1/retrieval/knowledge-bases", tags=["knowledge bases"])


@router.post("", status_code=201, summary="Make a knowledge base", response_model=KnowledgeBase)
async def create_knowledge_base(body: KnowledgeBaseCreate, session: SessionDep, principal: Writer, key: IdempotencyKey = None) -> Response:
    operation = Operation(str(principal.actor_id), "POST", router.prefix, key) if key else None
    if operation and (first := await idempotency.begin(session, operation, body=body.model_dump_json().encode())):
        return Response(first.body, status_code=first.status, media_type="application/json")
    made = await service.create(session, principal, name=body.name, description=body.description, access=body.access)
    answer = made.model_dump_json().encode()
    if operation:
        await idempotency.finish(session, operation, status=201, body=answer)
    return Response(answer, status_code=201, media_type="application/json")


@router.get("", summary="Knowledge bases you may read, newest first")
async def list_knowledge_bases(session: SessionDep, principal: Reader, limit: Limit = 50, after: After = None) -> Page[KnowledgeBase]:
    return await service.list_page(session, principal, after=after, limit=limit)


@router.get("/{knowledge_base_id}", summary="One knowledge base")
async def read_knowledge_base(knowledge_base_id: UUID, session: SessionDep, principal: Reader) -> KnowledgeBase:
    return await service.read(session, principal, knowledge_base_id)


@router.patch("/{knowledge_base_id}", summary="Rename, describe, open or close a knowledge base of your own")
async def patch_knowledge_base(knowledge_base_id: UUID, body: KnowledgeBasePatch, session: SessionDep, principal: Writer) -> KnowledgeBase:
    return await service.patch(session, principal, knowledge_base_id, {name: getattr(body, name) for name in body.model_fields_set})


@router.delete("/{knowledge_base_id}", status_code=204, summary="Delete a knowledge base; its files stay unless asked otherwise")
async def delete_knowledge_base(
    knowledge_base_id: UUID,
    session: SessionDep,
    principal: Writer,
    delete_files: Annotated[bool, Query(description="delete its files too, also from other knowledge bases")] = False,
) -> None:
    if delete_files:
        await files.delete_own_in(session, principal, knowledge_base_id)
    await service.delete(session, principal, knowledge_base_id)


@router.get("/{knowledge_base_id}/files", summary="Its files, newest first; of others' only what is ready")
async def list_knowledge_base_files(
    knowledge_base_id: UUID,
    session: SessionDep,
    principal: Reader,
    limit: Limit = 50,
    after: After = None,
    stage: Annotated[Stage | None, Query(description="only files at this stage")] = None,
) -> Page[DocumentMetadata]:
    return await files.list_page(session, principal, knowledge_base_id=knowledge_base_id, stage=stage, after=after, limit=limit)


@router.post("/{knowledge_base_id}/files", summary="Put one of your files in; putting it in twice changes nothing")
async def link_file(knowledge_base_id: UUID, body: FileLink, session: SessionDep, principal: Writer) -> DocumentMetadata:
    row = await files.own_file(session, principal, body.file_id, lock=True)
    await service.link(session, principal, knowledge_base_id, body.file_id)
    return await files.view(session, principal, row)


@router.delete("/{knowledge_base_id}/files/{file_id}", status_code=204, summary="Take a file out; the file itself stays")
async def unlink_file(knowledge_base_id: UUID, file_id: UUID, session: SessionDep, principal: Writer) -> None:
    if not await service.unlink(session, principal, knowledge_base_id, file_id):
        raise FileNotFound
