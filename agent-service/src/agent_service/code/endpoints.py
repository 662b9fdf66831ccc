"""POST /api/v1/agents/code/execute: run a piece of Python in the sandbox."""

import asyncio
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response
from shared.auth.guards import require
from shared.auth.permissions import Permission
from shared.auth.principal import Principal
from shared.background import TaskTracker
from shared.contracts.agents import CodeRequest, CodeResult
from shared.errors import AppError
from shared.succession import Succession

from agent_service.code.service import CodeRunner

router = APIRouter(prefix="/api/v1/agents/code", tags=["code"])

_CLIENT_GONE = 499  # nobody reads it; the access log does
_REFUSALS = {
    413: {"description": "the files are too large"},
    429: {"description": "too many runs wait already"},
    503: {"description": "there is no sandbox here; `detail` says why"},
}


async def _runner(request: Request) -> CodeRunner:
    return cast("CodeRunner", request.app.state.code)


@router.post(
    "/execute", response_model=CodeResult, summary="Run Python in the sandbox", responses={**_REFUSALS}
)
async def execute(
    request: Request,
    body: CodeRequest,
    principal: Annotated[Principal, Depends(require(Permission.CODE_EXECUTE))],
    runner: Annotated[CodeRunner, Depends(_runner)],
) -> CodeResult | Response:
    """No network, no files but those sent along; numpy, pandas and matplotlib are there. A client that leaves
    ends its run.
    """
    tasks = cast("TaskTracker", request.app.state.tasks)
    succession = cast("Succession", request.app.state.succession)
    running = tasks.spawn(_attempt(runner, succession, principal, body), "run of code")
    gone = tasks.spawn(_disconnect(request), "client of a run of code")
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return Response(status_code=_CLIENT_GONE)
        outcome = await running
    finally:
        for task in (running, gone):
            task.cancel()
    if isinstance(outcome, AppError):
        raise outcome
    return outcome


async def _attempt(
    runner: CodeRunner, succession: Succession, principal: Principal, body: CodeRequest
) -> CodeResult | AppError:
    """A refusal as a value: it is an answer, not the failure of a background task."""
    try:
        async with succession.using():
            return await runner.execute(principal, body)
    except AppError as refusal:
        return refusal


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
