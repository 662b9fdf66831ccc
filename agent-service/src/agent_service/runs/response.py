"""The HTTP answer of an event stream."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from uuid import UUID

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from agent_service.runs.errors import ReaderTooSlowError

RUN_ID_HEADER = "x-atrium-run-id"

log = logging.getLogger(__name__)


class EventStream(StreamingResponse):
    """Server-sent events of a run. A reader that takes nothing for `write_timeout_s` is cut off; it can resume by its last id."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], *, run_id: UUID, write_timeout_s: float, on_close: Callable[[], None]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no", RUN_ID_HEADER: str(run_id)}
        super().__init__(frames, headers=headers, media_type=self.media_type)
        self._write_timeout_s = write_timeout_s
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._write_timeout_s):
                    await send(message)
            except TimeoutError:
                raise ReaderTooSlowError from None

        try:
            await super().__call__(scope, receive, send_in_time)
        except* ReaderTooSlowError:
            log.info("a reader did not keep up and its stream was cut; it can resume")
        finally:
            self._on_close()
