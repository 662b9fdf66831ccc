"""HTTP of files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.contracts.retrieval import DocumentMetadata, Stage
from shared.dependencies import SessionDep
from shared.errors import BadRequest
from shared.idempotency import IdempotencyKey, Operation
from shared.pagination import After, Limit, Page
from starlette.requests import ClientDisconnect

from retrieval_service.files import service
from retrieval_service.files.dependencies import DatabaseDep, EnqueuerDep, ObjectsDep, QuotaDep, ReceiverDep
from retrieval_service.files.download import headers_of, span_of
from retrieval_service.files.errors import FileNotFound
from retrieval_service.files.schemas import QuotaView
from retrieval_service.objects.port import ObjectMissing

Reader = Annotated[Principal, Depends(require(Permission.FILES_READ))]
Writer = Annotated[Principal, Depends(require(Permission.FILES_WRITE))]

router = APIRouter(prefix="/api/v1/retrieval", tags=["files"])

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "knowledge_base_id": {
            "type": "string",
            "format": "uuid",
            "description": "one of your own; the file is put in",
        },
    },
}


@router.post(
    "/files",
    status_code=201,
    summary="Upload a file",
    description="PDF, DOCX, Markdown, HTML or plain text. Through the gateway a body may have 32 MiB; send"
    " larger files by `POST /api/v1/retrieval/uploads`, in chunks.",
    response_model=DocumentMetadata,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
)
async def upload_file(
    request: Request, principal: Writer, receiver: ReceiverDep, key: IdempotencyKey = None
) -> Response:
    length = request.headers.get("content-length")
    try:
        answer = await receiver.receive(
            principal,
            aiter(request.stream()),
            content_type=request.headers.get("content-type"),
            length=int(length) if length and length.isdigit() else None,
            operation=Operation(str(principal.actor_id), "POST", "/api/v1/retrieval/files", key)
            if key
            else None,
        )
    except ClientDisconnect:
        raise BadRequest("the connection ended before the file was complete; send it again") from None
    return Response(answer.body, status_code=answer.status, media_type="application/json")


@router.get("/files", summary="Your files, newest first; or those of a knowledge base")
async def list_files(
    session: SessionDep,
    principal: Reader,
    limit: Limit = 50,
    after: After = None,
    knowledge_base_id: Annotated[
        UUID | None, Query(description="files of this knowledge base instead")
    ] = None,
    stage: Annotated[Stage | None, Query(description="only files at this stage")] = None,
) -> Page[DocumentMetadata]:
    return await service.list_page(
        session, principal, knowledge_base_id=knowledge_base_id, stage=stage, after=after, limit=limit
    )


@router.get("/files/{file_id}", summary="One file and how far its ingestion is")
async def read_file(file_id: UUID, session: SessionDep, principal: Reader) -> DocumentMetadata:
    return await service.view(session, principal, await service.visible_file(session, principal, file_id))


@router.get(
    "/files/{file_id}/content",
    summary="The file as it was uploaded",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, 206: {"description": "the asked range"}},
)
async def read_content(
    file_id: UUID,
    session: SessionDep,
    principal: Reader,
    objects: ObjectsDep,
    inline: Annotated[bool, Query(description="show instead of save; PDF and plain text only")] = False,
    range_header: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
    if_range: Annotated[str | None, Header(alias="If-Range", max_length=200)] = None,
) -> Response:
    row = await service.visible_file(session, principal, file_id)
    await session.commit()  # no connection is held while the bytes flow
    etag = f'"{row.sha256}"'
    span = span_of(range_header, if_range, size_bytes=row.size_bytes, etag=etag)
    try:
        chunks = await objects.open(row.s3_key, start=span.start, end=span.end)
    except ObjectMissing:
        # Deleted between the two looks.
        raise FileNotFound from None
    headers = headers_of(
        row.filename, row.content_type, span=span, size_bytes=row.size_bytes, etag=etag, inline=inline
    )
    return StreamingResponse(chunks, status_code=200 if span.whole else 206, headers=headers)


@router.delete("/files/{file_id}", status_code=204, summary="Delete a file; from now on nobody sees it")
async def delete_file(file_id: UUID, session: SessionDep, principal: Writer) -> None:
    await service.delete(session, principal, file_id)


@router.post("/files/{file_id}/cancel", summary="Stop the ingestion; the file stays and can be tried again")
async def cancel_file(file_id: UUID, session: SessionDep, principal: Writer) -> DocumentMetadata:
    return await service.view(session, principal, await service.cancel(session, principal, file_id))


@router.post("/files/{file_id}/retry", summary="Ingest a failed or cancelled file again")
async def retry_file(
    file_id: UUID, database: DatabaseDep, principal: Writer, enqueuer: EnqueuerDep
) -> DocumentMetadata:
    async with database.transaction() as session:
        row = await service.retry(session, principal, file_id)
        shown = await service.view(session, principal, row)
    enqueuer.look_soon()
    return shown


@router.get("/quota", summary="What you keep and may keep")
async def read_quota(session: SessionDep, principal: Reader, quota: QuotaDep) -> QuotaView:
    return await quota.view(session, principal.actor_id)
