"""HTTP of resumable uploads."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.dependencies import SessionDep
from shared.errors import BadRequest
from shared.idempotency import IdempotencyKey, Once
from starlette.requests import ClientDisconnect

from retrieval_service.uploads.dependencies import UploadsDep
from retrieval_service.uploads.schemas import SIZE_BYTES_MAX, UploadCreate, UploadView

Writer = Annotated[Principal, Depends(require(Permission.FILES_WRITE))]

router = APIRouter(prefix="/api/v1/retrieval/uploads", tags=["uploads"])

_CHUNK = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post("", status_code=201, summary="Begin a resumable upload", response_model=UploadView)
async def create_upload(
    body: UploadCreate,
    session: SessionDep,
    principal: Writer,
    uploads: UploadsDep,
    key: IdempotencyKey = None,
) -> Response:
    once = Once(session, key, principal=principal.actor_id, route=router.prefix, body=body)
    if first := await once.first():
        return first
    return await once.answer(await uploads.create(session, principal, body))


@router.get("/{upload_id}", summary="How much has arrived")
async def read_upload(upload_id: UUID, principal: Writer, uploads: UploadsDep) -> UploadView:
    return await uploads.read(principal, upload_id)


@router.patch(
    "/{upload_id}",
    summary="Send the next chunk",
    description="The body is the chunk. Repeating a chunk changes nothing; another offset is answered 409"
    " with the right one. The answer to the last chunk holds the document.",
    openapi_extra={"requestBody": {"required": True, "content": _CHUNK}},
)
async def append_chunk(
    upload_id: UUID,
    request: Request,
    principal: Writer,
    uploads: UploadsDep,
    upload_offset: Annotated[
        int, Header(ge=0, le=SIZE_BYTES_MAX, description="where in the file the chunk begins")
    ],
) -> UploadView:
    try:
        return await uploads.append(principal, upload_id, offset=upload_offset, body=aiter(request.stream()))
    except ClientDisconnect:
        raise BadRequest("the connection ended before the chunk was complete; send it again") from None


@router.delete("/{upload_id}", status_code=204, summary="Give an upload up; a file it became stays")
async def delete_upload(upload_id: UUID, principal: Writer, uploads: UploadsDep) -> None:
    await uploads.delete(principal, upload_id)
