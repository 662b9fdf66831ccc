"""The sockets people and services connect to. The supervisor holds them, so that they outlive the processes
that serve them.

Whoever connects while a process is replaced waits in the kernel's queue and is served by the next one. When
that takes long, the supervisor itself answers 503 at once: better than a client that hangs.
"""

import asyncio
import errno
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from atrium_local.errors import LocalError

_BACKLOG = 2048
_SILENT_MAX_S = 5.0  # a connection that asks nothing is closed by the stand-in
# The rest of a request may still come in; closed with that unread, the answer would be lost too (RST).
_LEAVE_MAX_S = 2.0
_MISSING_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


@dataclass(slots=True, eq=False)
class Listener:
    """The open sockets of one service; `open` one before its first process starts."""

    name: str
    sockets: Sequence[socket.socket]
    _standing_in: list[asyncio.Server] = field(default_factory=list["asyncio.Server"])
    _all: list["Listener"] = field(default_factory=list["Listener"])
    _is_served: bool = False

    def __post_init__(self) -> None:
        self._all.append(self)

    @classmethod
    def open(cls, name: str, host: str, port: int, *, variable: str) -> "Listener":
        """Bind and listen on each address of `host`.

        Raises: LocalError naming the variable to set when that cannot be.
        """
        try:
            found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise LocalError(
                f"HOST={host} is no address of this machine ({error.strerror}): correct HOST."
            ) from error
        opened: list[socket.socket] = []
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                if (listening := _listening(family, address, alone=len(found) == 1)) is not None:
                    opened.append(listening)
        except OSError as error:
            for listening in opened:
                listening.close()
            raise port_error(error, host=host, port=port, owner=name, variable=variable) from error
        if not opened:
            raise LocalError(f"HOST={host} is no address of this machine: correct HOST.")
        return cls(name=name, sockets=opened)

    def descriptors(self) -> list[int]:
        """What a process inherits."""
        return [listening.fileno() for listening in self.sockets]

    def sibling(self) -> "Listener":
        """The same sockets, for another process of the service that serves beside the first. None stands in
        while one of them serves.
        """
        return Listener(self.name, self.sockets, _all=self._all)

    async def stand_in(self) -> None:
        """Answer 503 to everybody until `hand_back`."""
        self._is_served = False
        if self._standing_in or any(each._is_served for each in self._all):
            return
        loop = asyncio.get_running_loop()
        for listening in self.sockets:
            self._standing_in.append(
                await loop.create_server(lambda: _StandIn(self.name), sock=listening.dup(), backlog=_BACKLOG)
            )
        if any(each._is_served for each in self._all):
            self._stand_aside()

    def hand_back(self) -> None:
        """Leave those who connect to the process, or to the queue until there is one."""
        self._is_served = True
        for each in self._all:
            each._stand_aside()

    def _stand_aside(self) -> None:
        for server in self._standing_in:
            server.close()
        self._standing_in.clear()

    def close(self) -> None:
        """Nobody can connect any more."""
        self.hand_back()
        for listening in self.sockets:
            listening.close()


def probe_socket() -> socket.socket:
    """A bound socket on a free loopback port, where one process alone answers questions about itself. It does
    not listen yet.
    """
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


def check_port(host: str, port: int, *, owner: str, variable: str) -> None:
    """Raises: LocalError when another program listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise port_error(error, host=host, port=port, owner=owner, variable=variable) from error


def port_error(error: OSError, *, host: str, port: int, owner: str, variable: str) -> LocalError:
    """Why a port cannot be had, and what to set."""
    if error.errno == errno.EADDRINUSE:
        return LocalError(
            f"Port {port} for {owner} is in use: stop the program that has it, or set {variable}."
        )
    return LocalError(
        f"Cannot bind {host}:{port} for {owner} ({error.strerror}): correct HOST or {variable}."
    )


def _listening(family: int, address: object, *, alone: bool) -> socket.socket | None:
    """None for a kind of address this machine does not have, when there are others."""
    try:
        made = socket.socket(family)
    except OSError:
        if alone:
            raise
        return None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by every connection
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)  # pyright: ignore[reportArgumentType] - as getaddrinfo gave it
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        if not alone and error.errno in _MISSING_FAMILY:
            return None
        raise
    made.setblocking(False)
    return made


class _StandIn(asyncio.Protocol):
    """Says that the service is away, in a form that both problem readers and OpenAI's clients understand."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._limit = asyncio.get_running_loop().call_later(_SILENT_MAX_S, transport.close)

    def data_received(self, data: bytes) -> None:
        del data  # whatever was asked
        if self._answered or not isinstance(self._transport, asyncio.WriteTransport):
            return
        self._answered = True
        self._transport.write(_away(self._name))
        self._transport.write_eof()
        self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_later(_LEAVE_MAX_S, self._transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limit.cancel()


def _away(name: str) -> bytes:
    detail = f"{name} is being started; try again in a moment"
    problem = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "service_away",
        "detail": detail,
    }
    openai = {"message": detail, "type": "server_error", "param": None, "code": "service_away"}
    body = json.dumps({**problem, "error": openai}).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
