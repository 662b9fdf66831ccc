"""A real uvicorn on a free port: in-process transports buffer bodies and run no lifespan."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def serve(app: Any, **options: Any) -> AsyncGenerator[str]:
    """Serve an ASGI `app` while the block runs; gives its base URL.

    Raises:
        RuntimeError: the application did not start; its log says why.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan=options.pop("lifespan", "on"), timeout_graceful_shutdown=2, **options)
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if running.done():
                raise RuntimeError("the application did not start")
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()
