"""The way to the SDK for a service that may never need it: importing it takes a second or two and 13 MB."""

import asyncio
from contextlib import AbstractAsyncContextManager
from importlib import import_module

from agent_service.mcp.port import Limits, Server, Session

_SDK = "agent_service.mcp.adapters.sdk"


class LazySdk:
    """The Opener of the SDK."""

    async def prepare(self) -> None:
        """Import it once, in a thread so that the loop continues."""
        await asyncio.to_thread(import_module, _SDK)

    def __call__(self, server: Server, limits: Limits) -> AbstractAsyncContextManager[Session]:
        """As sdk.open_session; after `prepare`."""
        return import_module(_SDK).open_session(server, limits)
