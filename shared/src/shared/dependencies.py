"""FastAPI dependencies that every service uses."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import Database


async def transaction_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The session of this request's one transaction."""
    database = cast("Database", request.app.state.database)
    async with database.transaction() as session:
        yield session


# scope="function": the commit happens before the response is sent, so that a failed commit is not answered
# with 200.
SessionDep = Annotated[AsyncSession, Depends(transaction_session, scope="function")]
