"""CORS and security headers of every answer that leaves port 8000, proxied or not."""

from shared.http import RawHeaders
from starlette.types import Message, Send

from gateway_service.proxy.config import ProxyConfig

_ALLOWED_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_ALLOWED_HEADERS = (
    b"authorization, content-type, x-api-key, x-request-id, idempotency-key, last-event-id, accept"
)
_EXPOSED_HEADERS = (
    b"x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, "
    b"x-atrium-cost-nano"
)


class EdgeHeaders:
    """Works out the fields once, so that a request only joins lists."""

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
