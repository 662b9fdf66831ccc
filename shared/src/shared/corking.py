"""Holds what is written to sockets until everything that has just arrived has been looked at, then writes all
of it.

Each write is a system call and wakes the process at the other end. Under load many requests arrive in one
turn of the event loop; written together, their answers find the other end awake, which saves a quarter of the
CPU of a forwarded request. The head and the body of a short answer leave as one. With nothing else to do the
wait is a few microseconds.
"""

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)

HELD_BYTES_MAX = 64 * 1024
"""Beyond this everything held is written at once: a writer must feel that the other end is slow."""


class Cork:
    """One per event loop. Whoever writes to a transport by a cork writes to it by nothing else; see
    CorkedTransport.
    """

    __slots__ = ("_held", "_size")

    def __init__(self) -> None:
        self._held: dict[asyncio.WriteTransport, list[bytes]] = {}
        self._size = 0

    def write(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """As transport.write(), once the events at hand have been worked through."""
        held = self._held
        if not held:
            asyncio.get_running_loop().call_soon(self.flush)
        pieces = held.get(transport)
        if pieces is None:
            held[transport] = [data]
        else:
            pieces.append(data)
        self._size += len(data)
        if self._size > HELD_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        held, self._held, self._size = self._held, {}, 0
        for transport, pieces in held.items():
            if not transport.is_closing():
                try:
                    transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
                except Exception:  # the answers of others must leave whatever is wrong with this one
                    log.exception("an answer could not be written")
                    transport.abort()


class CorkedTransport:
    """A transport as a protocol uses it, written by a cork: what is held goes out before an orderly close."""

    __slots__ = (
        "_cork",
        "_transport",
        "abort",
        "get_extra_info",
        "is_closing",
        "pause_reading",
        "resume_reading",
        "set_protocol",
    )

    def __init__(self, transport: Any, cork: Cork) -> None:
        self._transport = transport
        self._cork = cork
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.set_protocol = transport.set_protocol

    def write(self, data: bytes) -> None:
        self._cork.write(self._transport, data)

    def close(self) -> None:
        self._cork.flush()
        self._transport.close()
