"""What endpoints of reconciliation ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from retrieval_service.reconciliation.service import Reconciler


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _reconciler(request: Request) -> Reconciler:
    return cast("Reconciler", request.app.state.reconciler)


ReconcilerDep = Annotated[Reconciler, Depends(_reconciler)]
