"""What endpoints take from the process: the objects that main.py built."""

from collections.abc import AsyncGenerator
from typing import Annotated, cast

from fastapi import Depends, Request
from shared.db import Database
from shared.succession import Succession

from retrieval_service.files.enqueue import Enqueuer
from retrieval_service.files.quota import Quota
from retrieval_service.files.receiving import FileReceiver
from retrieval_service.objects.port import ObjectStore
from retrieval_service.reconciliation.service import Reconciler
from retrieval_service.search.service import Searcher
from retrieval_service.uploads.service import UploadService


async def uses_vectors(request: Request) -> AsyncGenerator[None]:
    """For endpoints that read or write vectors: the store is this process's while they run. Raises: HandedOver."""
    succession = cast("Succession", request.app.state.succession)
    async with succession.using():
        yield


async def _database(request: Request) -> Database:
    return cast("Database", request.app.state.database)


async def _objects(request: Request) -> ObjectStore:
    return cast("ObjectStore", request.app.state.objects)


async def _quota(request: Request) -> Quota:
    return cast("Quota", request.app.state.quota)


async def _receiver(request: Request) -> FileReceiver:
    return cast("FileReceiver", request.app.state.receiver)


async def _enqueuer(request: Request) -> Enqueuer:
    return cast("Enqueuer", request.app.state.enqueuer)


async def _uploads(request: Request) -> UploadService:
    return cast("UploadService", request.app.state.uploads)


async def _searcher(request: Request) -> Searcher:
    return cast("Searcher", request.app.state.searcher)


async def _reconciler(request: Request) -> Reconciler:
    return cast("Reconciler", request.app.state.reconciler)


DatabaseDep = Annotated[Database, Depends(_database)]
ObjectsDep = Annotated[ObjectStore, Depends(_objects)]
QuotaDep = Annotated[Quota, Depends(_quota)]
ReceiverDep = Annotated[FileReceiver, Depends(_receiver)]
EnqueuerDep = Annotated[Enqueuer, Depends(_enqueuer)]
UploadsDep = Annotated[UploadService, Depends(_uploads)]
SearcherDep = Annotated[Searcher, Depends(_searcher)]
ReconcilerDep = Annotated[Reconciler, Depends(_reconciler)]
