"""What endpoints that touch vectors ask for."""

from collections.abc import AsyncGenerator
from typing import cast

from fastapi import Request
from shared.succession import Succession


async def uses_vectors(request: Request) -> AsyncGenerator[None]:
    """For endpoints that read or write vectors: the store is this process's while they run. Raises:
    HandedOver.
    """
    succession = cast("Succession", request.app.state.succession)
    async with succession.using():
        yield
