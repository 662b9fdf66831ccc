"""What endpoints of files ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request
from shared.db import Database

from retrieval_service.files.enqueue import Enqueuer
from retrieval_service.files.quota import FileQuota
from retrieval_service.files.receiving import FileReceiver
from retrieval_service.objects.port import ObjectStore


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _database(request: Request) -> Database:
    return cast("Database", request.app.state.database)


async def _objects(request: Request) -> ObjectStore:
    return cast("ObjectStore", request.app.state.objects)


async def _quota(request: Request) -> FileQuota:
    return cast("FileQuota", request.app.state.quota)


async def _receiver(request: Request) -> FileReceiver:
    return cast("FileReceiver", request.app.state.receiver)


async def _enqueuer(request: Request) -> Enqueuer:
    return cast("Enqueuer", request.app.state.enqueuer)


DatabaseDep = Annotated[Database, Depends(_database)]
ObjectsDep = Annotated[ObjectStore, Depends(_objects)]
QuotaDep = Annotated[FileQuota, Depends(_quota)]
ReceiverDep = Annotated[FileReceiver, Depends(_receiver)]
EnqueuerDep = Annotated[Enqueuer, Depends(_enqueuer)]
