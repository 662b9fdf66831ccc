"""A real uvicorn on a free port: in-process transports buffer bodies and run no lifespan."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from shared.background import beside


@asynccontextmanager
async def serve(app: Any, **options: Any) -> AsyncGenerator[str]:
    """Serve an ASGI `app` while the block runs; gives its base URL.

    Raises:
        RuntimeError: the application did not start; its log says why.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, lifespan=options.pop("lifespan", "on"), timeout_graceful_shutdown=2, **options
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    if not server.started:
        listener.close()
        raise RuntimeError("the application did not start")
    # `serve()` would look ten times a second whether it should end, which adds up over a thousand servers.
    try:
        async with beside(server.main_loop(), "uvicorn"):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await server.shutdown(sockets=[listener])


async def read_body(receive: Any) -> bytes:
    """The whole body of a request, for the ASGI callables that play a service in tests."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body
