"""HTTP of reconciliation, for operators."""

from typing import Annotated

from fastapi import APIRouter, Depends
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal

from retrieval_service.reconciliation.dependencies import ReconcilerDep
from retrieval_service.reconciliation.schemas import Reconciliation, Report
from retrieval_service.vectors.dependencies import uses_vectors

Operator = Annotated[Principal, Depends(require(Permission.TOOLS_MANAGE))]

router = APIRouter(prefix="/api/v1/retrieval/reconciliation", tags=["reconciliation"])


@router.get("", summary="What the last comparison of files, passages and vectors found")
async def read_reconciliation(reconciler: ReconcilerDep, principal: Operator) -> Reconciliation:
    return reconciler.state()


@router.post("", summary="Compare and heal now", dependencies=[Depends(uses_vectors)])
async def run_reconciliation(reconciler: ReconcilerDep, principal: Operator) -> Report:
    return await reconciler.run()
