"""HTTP of event streams that readers resume: where they go on, how they are answered, how many of them a
person may have open.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Query
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from shared.auth.principal import Principal
from shared.errors import AppError

_EVENT_ID_MAX = 2**62

log = logging.getLogger(__name__)


class ReaderTooSlowError(Exception):
    """The reader does not keep up. Its connection is broken off, not ended well, so that it knows
    to resume.
    """


class DocumentedEvents(JSONResponse):
    """Makes OpenAPI show the event models under the type that streams have; what is sent is an
    EventStream.
    """

    media_type = "text/event-stream"


# async: FastAPI would send a plain function to a thread.
async def _seen(
    after: Annotated[
        int | None,
        Query(
            ge=0,
            le=_EVENT_ID_MAX,
            description="id of the last event already seen; Last-Event-ID says the same",
        ),
    ] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
) -> int:
    """What is none of our ids starts from the beginning."""
    if after is not None:
        return after
    if last_event_id is None or not last_event_id.isascii() or not last_event_id.isdigit():
        return 0
    seen = int(last_event_id)
    return seen if seen <= _EVENT_ID_MAX else 0


SeenEventId = Annotated[int, Depends(_seen)]
"""The last event the reader has; 0 for none."""


class EventStream(StreamingResponse):
    """Server-sent events. A reader that takes nothing for `write_timeout_s` is cut off; it can resume by its
    last id.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        *,
        write_timeout_s: float,
        on_close: Callable[[], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            frames, headers={"cache-control": "no-store", "x-accel-buffering": "no", **(headers or {})}
        )
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


class Place:
    """One counted stream. It is given back at the end of its `with` block, unless it was kept: then by the
    callback.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._kept = False

    def __enter__(self) -> "Place":
        return self

    def keep(self) -> Callable[[], None]:
        """What gives the place back later."""
        self._kept = True
        return self._leave

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self._leave()


class OpenStreams:
    """Counts the streams that people hold open in this process. `refusal` is raised beyond `count_max` of one
    person.
    """

    def __init__(self, count_max: int, refusal: Callable[[int], AppError]) -> None:
        self._count_max = count_max
        self._refusal = refusal
        self._open: Counter[UUID] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    def place(self, principal: Principal) -> Place:
        """A place for one more stream of the person, taken before anything is stored for it. Raises: what
        `refusal` gives.
        """
        self.enter(principal)
        return Place(lambda: self.leave(principal))

    def enter(self, principal: Principal) -> None:
        """Count one more stream of the person; `leave` ends it. Raises: what `refusal` gives."""
        if self._open[principal.actor_id] >= self._count_max:
            raise self._refusal(self._count_max)
        self._open[principal.actor_id] += 1

    def leave(self, principal: Principal) -> None:
        self._open[principal.actor_id] -= 1
        if self._open[principal.actor_id] <= 0:
            del self._open[principal.actor_id]
