"""What endpoints of uploads ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from retrieval_service.uploads.service import UploadService


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _uploads(request: Request) -> UploadService:
    return cast("UploadService", request.app.state.uploads)


UploadsDep = Annotated[UploadService, Depends(_uploads)]
