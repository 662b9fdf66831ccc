"""MCP over HTTP: every connection goes to an address that was checked, no redirect is followed, every answer
has a limit.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address

import anyio
import httpx2

from agent_service.mcp.addresses import AddressRefused, check_address
from agent_service.mcp.port import StreamableHttp

_RESUME_PAUSE_S = 0.2
_CONNECTIONS_MAX = 20
_LAST_EVENT_ID = "last-event-id"


class ExchangeRefused(httpx2.TransportError):
    """We do not go on with this exchange; the text says why, for people."""


class _Bounded(httpx2.AsyncByteStream):
    """The body of an answer, up to `bytes_max`."""

    def __init__(
        self, inner: httpx2.AsyncByteStream, bytes_max: int, *, refuse: Callable[[str], ExchangeRefused]
    ) -> None:
        self._inner = inner
        self._bytes_max = bytes_max
        self._refuse = refuse

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._bytes_max:
                raise self._refuse(f"its answer is larger than {self._bytes_max} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Resolves the host itself, checks every address it has, and connects to one of those: nothing can be
    swapped in between.

    `failed_status` is the last answer with an error status, `refused` the text of the last ExchangeRefused:
    the SDK tells those who wait only that the connection is gone.
    """

    def __init__(self, target: StreamableHttp, *, answer_bytes_max: int) -> None:
        limits = httpx2.Limits(
            max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX, keepalive_expiry=30
        )
        self._inner = httpx2.AsyncHTTPTransport(
            verify=ssl.create_default_context(), trust_env=False, limits=limits
        )
        self._private_allowed = target.private_allowed
        self._answer_bytes_max = answer_bytes_max
        self.failed_status: int | None = None
        self.refused: str | None = None

    def _refuse(self, text: str) -> ExchangeRefused:
        self.refused = text
        return ExchangeRefused(text)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises: ExchangeRefused, and the errors of the transport."""
        if request.method == "GET":
            if _LAST_EVENT_ID not in request.headers:
                # The stream of unasked messages: nothing in it is used, and a server could have it reopened
                # without end.
                return httpx2.Response(405, request=request)
            await asyncio.sleep(_RESUME_PAUSE_S)
        host = request.url.host
        address = await self._resolve(
            host, request.url.port or (443 if request.url.scheme == "https" else 80)
        )
        response = await self._inner.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # its Host is that of the URL
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        )
        return await self._checked(response)

    async def _resolve(self, host: str, port: int) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise self._refuse(f"the host {host} is not known") from None
        addresses = [str(item[4][0]) for item in found]
        try:
            for address in addresses:
                check_address(ip_address(address.partition("%")[0]), private_allowed=self._private_allowed)
        except AddressRefused as error:
            raise self._refuse(str(error)) from None
        return addresses[0]

    async def _checked(self, response: httpx2.Response) -> httpx2.Response:
        problem = None
        if 300 <= response.status_code < 400:
            problem = (
                f"it answers with a redirect ({response.status_code}), which is not followed; configure "
                "the final URL"
            )
        elif response.headers.get("content-encoding", "identity").lower() != "identity":
            problem = "its answer is compressed although that was not asked for"
        if problem:
            await response.aclose()
            raise self._refuse(problem)
        if response.status_code >= 400:
            self.failed_status = response.status_code
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            # Event streams are bounded by event (the SDK's limit) and by the time-out of the call.
            assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - what an async transport gives
            response.stream = _Bounded(response.stream, self._answer_bytes_max, refuse=self._refuse)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def client(
    transport: GuardedTransport, target: StreamableHttp, *, connect_timeout_s: float, read_timeout_s: float
) -> httpx2.AsyncClient:
    """The client the SDK talks through. It is the SDK's HTTP library, not that of shared.http, and exists per
    server.
    """
    return httpx2.AsyncClient(
        transport=transport,
        headers={"accept-encoding": "identity", "user-agent": "atrium-agent-service", **target.headers},
        timeout=httpx2.Timeout(connect_timeout_s, read=read_timeout_s),
        follow_redirects=False,
        trust_env=False,
    )


NETWORK_ERRORS = (httpx2.HTTPError, httpx2.StreamError, anyio.BrokenResourceError, anyio.ClosedResourceError)
