"""CORS and security headers of every answer that leaves port 8000, and what the edge answers itself."""

from shared.app.asgi import sane_request_id
from shared.errors import AppError, Forbidden, render_for_path
from shared.http import RawHeaders
from starlette.types import Message, Receive, Scope, Send

from gateway_service.proxy.config import ProxyConfig
from gateway_service.proxy.forward import ProxyAnswer
from gateway_service.proxy.headers import RequestHeaders

_ALLOWED_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_ALLOWED_HEADERS = (
    b"authorization, content-type, x-api-key, x-request-id, idempotency-key, last-event-id, accept"
)
_EXPOSED_HEADERS = (
    b"x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, "
    b"x-atrium-cost-nano"
)


class NotImplementedHere(AppError):
    """The upgrade to another protocol that nothing behind the gateway speaks."""

    status, code, title = 501, "not_implemented", "Not implemented"


class Edge:
    """Works out the fields once, so that a request only joins lists; answers what no service is asked for."""

    def __init__(self, config: ProxyConfig) -> None:
        self._origins = frozenset(origin.encode("ascii") for origin in config.cors_origins)
        self._api: RawHeaders = [(b"x-content-type-options", b"nosniff")]
        if config.https:
            self._api.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
        self._pages: RawHeaders = [
            *self._api,
            (b"referrer-policy", b"no-referrer"),
            (b"x-frame-options", b"DENY"),
        ]
        self._page_names = frozenset(name for name, _ in self._pages)

    def allows(self, origin: bytes) -> bool:
        """Whether pages of this origin may read our answers."""
        return origin in self._origins

    def for_answer(self, origin: bytes | None) -> RawHeaders:
        """What a service's answer gets: no sniffing, and CORS for an allowed origin. The rest only matters to
        pages.
        """
        return self._api + self._cors(origin)

    def _cors(self, origin: bytes | None) -> RawHeaders:
        if origin is None or origin not in self._origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
            (b"vary", b"origin"),
        ]

    def for_preflight(self, origin: bytes) -> RawHeaders:
        """The whole answer to an allowed preflight. Credentials are tokens, never cookies, so none are
        allowed.
        """
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
            (b"vary", b"origin"),
        ]

    def wrap(self, send: Send, origin: bytes | None) -> Send:
        """Adds the fields to an answer made elsewhere; what is set there stays."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: RawHeaders = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers} & self._page_names
                headers += [item for item in self._pages + self._cors(origin) if item[0] not in present]
                message = {**message, "headers": headers}
            await send(message)

        return send_with_headers

    async def preflight(self, scope: Scope, headers: RequestHeaders, send: Send) -> bool:
        """Answers a CORS preflight; False when the OPTIONS request is none."""
        if headers.origin is None or headers.preflight_method is None:
            return False
        if not self.allows(headers.origin):
            raise Forbidden(
                "this origin may not call the API; an operator can add it to CORS_ALLOW_ORIGINS",
                code="origin_not_allowed",
            )
        await send(
            {
                "type": "http.response.start",
                "status": 204,
                "headers": self.for_preflight(headers.origin),
            }
        )
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    async def refuse(self, error: AppError, scope: Scope, send: Send) -> None:
        """Answer with the error, in the dialect of the path."""
        answer = ProxyAnswer(scope, send, self.for_answer(None))
        await answer.complete(*render_for_path(error, path=scope["path"], request_id=sane_request_id(None)))

    async def refuse_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Turn a WebSocket away with a reason."""
        await receive()  # the server offers the connection first
        error = NotImplementedHere(
            "nothing behind this address speaks WebSocket; live events come as server-sent events"
        )
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": error.detail})
            return
        status, headers, body = render_for_path(error, path=scope["path"], request_id=sane_request_id(None))
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
