"""HTTP of knowledge bases."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.retrieval import KnowledgeBase
from shared.dependencies import SessionDep
from shared.idempotency import IdempotencyKey, Once
from shared.pagination import After, Limit, Page

from retrieval_service.knowledge import service
from retrieval_service.knowledge.schemas import KnowledgeBaseCreate, KnowledgeBasePatch

Reader = Annotated[Principal, Depends(require(Permission.FILES_READ))]
Writer = Annotated[Principal, Depends(require(Permission.FILES_WRITE))]

router = APIRouter(prefix="/api/v1/retrieval/knowledge-bases", tags=["knowledge bases"])


@router.post("", status_code=201, summary="Make a knowledge base", response_model=KnowledgeBase)
async def create_knowledge_base(
    body: KnowledgeBaseCreate, session: SessionDep, principal: Writer, key: IdempotencyKey = None
) -> Response:
    once = Once(session, key, principal=principal.actor_id, route=router.prefix, body=body)
    if first := await once.first():
        return first
    made = await service.create(
        session, principal, name=body.name, description=body.description, access=body.access
    )
    return await once.answer(made)


@router.get("", summary="Knowledge bases you may read, newest first")
async def list_knowledge_bases(
    session: SessionDep, principal: Reader, limit: Limit = 50, after: After = None
) -> Page[KnowledgeBase]:
    return await service.list_page(session, principal, after=after, limit=limit)


@router.get("/{knowledge_base_id}", summary="One knowledge base")
async def read_knowledge_base(
    knowledge_base_id: UUID, session: SessionDep, principal: Reader
) -> KnowledgeBase:
    return await service.read(session, principal, knowledge_base_id)


@router.patch("/{knowledge_base_id}", summary="Rename, describe, open or close a knowledge base of your own")
async def patch_knowledge_base(
    knowledge_base_id: UUID, body: KnowledgeBasePatch, session: SessionDep, principal: Writer
) -> KnowledgeBase:
    return await service.patch(
        session, principal, knowledge_base_id, {name: getattr(body, name) for name in body.model_fields_set}
    )
