"""The way to the SDK for a service that may never need it: importing it takes a second and 45 MB."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module

from agent_service.mcp.port import Limits, Opener, Server, Session


@asynccontextmanager
async def open_session(server: Server, limits: Limits) -> AsyncGenerator[Session]:
    """As sdk.open_session; the first one imports it, in a thread so that the loop goes on."""
    opener: Opener = (await asyncio.to_thread(import_module, "agent_service.mcp.adapters.sdk")).open_session
    async with opener(server, limits) as session:
        yield session
