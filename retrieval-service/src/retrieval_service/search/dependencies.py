"""What endpoints of search ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from retrieval_service.search.service import Searcher


# async: FastAPI sends plain functions to a thread, which costs more than what these do.
async def _searcher(request: Request) -> Searcher:
    return cast("Searcher", request.app.state.searcher)


SearcherDep = Annotated[Searcher, Depends(_searcher)]
