"""Hears events of an outbox in every process that cares, at least once each, and in order."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import orjson

from shared.background import Periodic
from shared.clock import monotonic_s
from shared.listener import ChannelListener

log = logging.getLogger(__name__)

_REMEMBERED_MAX = 10_000
_RETRIES_S = (0.2, 0.5, 1.0)
_AGAIN_S = 30.0

Handler = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class _Seen:
    """When an event was heard first, and last to be handled."""

    first_s: float
    last_s: float


class Subscriber:
    """Calls `handlers[topic]` with the payload of each event that is announced on `channel`.

    Events are announced more than once (the publisher repeats those that still hold), so that a process which
    was away hears them later. One that was handled is not handled again on the same connection, except every
    half minute for `repeat_for_s` after it was first heard; a handler must bear a repetition all the same. A
    handler that fails is called again within two seconds, then at the next announcement.
    """

    def __init__(
        self, url: str, *, name: str, channel: str, handlers: Mapping[str, Handler], repeat_for_s: float = 0
    ) -> None:
        self._handlers = dict(handlers)
        self._repeat_for_s = repeat_for_s
        self._seen: OrderedDict[UUID, _Seen] = OrderedDict()
        self._waiting: asyncio.Queue[tuple[UUID, str, Mapping[str, Any]]] = asyncio.Queue()
        self._listener = ChannelListener(
            url, name=name, heard={channel: self._heard}, on_connected=self._seen.clear
        )
        self._job = Periodic(f"subscriber {name}", 0, self._handle_next)

    @property
    def listening(self) -> asyncio.Event:
        """Set while notifications arrive."""
        return self._listener.listening

    def start(self) -> None:
        self._listener.start()
        self._job.start()

    async def close(self) -> None:
        await self._listener.close()
        await self._job.close()

    def _heard(self, message: str) -> None:
        try:
            event = cast("dict[str, Any]", orjson.loads(message))
            event_id, topic, payload = (
                UUID(event["id"]),
                str(event["topic"]),
                cast("Mapping[str, Any]", event["payload"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            log.warning("an announced event cannot be read", extra={"bytes": len(message)})
            return
        if topic not in self._handlers or not self._is_due(event_id):
            return
        if len(self._seen) > _REMEMBERED_MAX:
            self._seen.popitem(last=False)
        self._waiting.put_nowait((event_id, topic, payload))

    def _is_due(self, event_id: UUID) -> bool:
        now_s = monotonic_s()
        seen = self._seen.get(event_id)
        if seen is None:
            self._seen[event_id] = _Seen(now_s, now_s)
            return True
        if now_s - seen.last_s < _AGAIN_S or now_s - seen.first_s > self._repeat_for_s:
            return False
        seen.last_s = now_s
        return True

    async def _handle_next(self) -> None:
        event_id, topic, payload = await self._waiting.get()
        for wait_s in _RETRIES_S:
            if await self._handled(event_id, topic, payload):
                return
            await asyncio.sleep(wait_s)
        # The next announcement tries again; others are not kept waiting.
        self._seen.pop(event_id, None)

    async def _handled(self, event_id: UUID, topic: str, payload: Mapping[str, Any]) -> bool:
        try:
            await self._handlers[topic](payload)
        except (KeyError, TypeError, ValueError):
            # Of another version; trying again would not help.
            log.exception("an event cannot be understood", extra={"topic": topic, "event_id": str(event_id)})
        except Exception:
            # A process edge: what the event asks for must happen as soon as it can.
            log.exception(
                "an event could not be handled; it is tried again",
                extra={"topic": topic, "event_id": str(event_id)},
            )
            return False
        return True
