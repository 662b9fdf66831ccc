"""HTTP to providers: the shared pool, with failures turned into the errors clients understand."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import cast

from pydantic import SecretStr
from shared.http import (
    RawHeaders,
    ResponseTooLarge,
    Timeouts,
    UpstreamBusy,
    UpstreamConnectError,
    UpstreamError,
    UpstreamPool,
    UpstreamResponse,
)
from shared.surrogates import parse_json

from inference_service.providers.answers import inflated, is_inflatable, redirect_target, retry_after_s
from inference_service.providers.errors import Answer, AnswerBroken, AnswerTimedOut, Origin
from inference_service.providers.failures import (
    code_of,
    error_of_status,
    error_of_transport,
    message_of,
    told,
)
from inference_service.providers.protocol import Json

_REFUSAL_BYTES_MAX = 64 * 1024
_REFUSAL_S = 10.0
_JSON_BYTES_MAX = 64 * 1024 * 1024
_REDIRECTS_MAX = 2


@dataclass(frozen=True, slots=True)
class Remote:
    """The address of one provider, taken apart once."""

    origin: str
    prefix: bytes
    authorization: bytes | None = field(repr=False)
    named: Origin
    token_timeout_s: float | None = None  # instead of the usual time-outs of a streamed answer

    @classmethod
    def of(cls, base_url: str, *, api_key: SecretStr | None, provider: str, setting: str) -> "Remote":
        """`base_url` is scheme, host and an optional path that goes before every target."""
        scheme, _, rest = base_url.rstrip("/").partition("://")
        host, slash, path = rest.partition("/")
        key = api_key.get_secret_value() if api_key else ""
        return cls(
            origin=f"{scheme}://{host}",
            prefix=(slash + path).encode("ascii"),
            authorization=b"Bearer " + key.encode("latin-1") if key else None,
            named=Origin(provider=provider, address=f"{scheme}://{host}{slash}{path}", setting=setting),
        )


class Transport:
    """One per process."""

    def __init__(
        self,
        pool: UpstreamPool,
        *,
        stream_timeouts: Timeouts,
        answer_timeouts: Timeouts,
        discovery_timeouts: Timeouts,
    ) -> None:
        self._pool = pool
        self._stream_timeouts = stream_timeouts
        self._answer_timeouts = answer_timeouts
        self._discovery_timeouts = discovery_timeouts

    @asynccontextmanager
    async def open(
        self,
        remote: Remote,
        target: bytes,
        body: bytes,
        *,
        stream: bool = False,
        traceparent: bytes | None = None,
    ) -> AsyncGenerator[UpstreamResponse]:
        """POST `body`; the block gets a response with status 200 and reads it under `reading`.

        A failed connection is tried once more: nothing was sent, so nothing can be charged twice. Raises:
        AppError on entering.
        """
        headers = _headers(remote, traceparent)
        timeouts = self._stream_timeouts if stream else self._answer_timeouts
        if stream and remote.token_timeout_s is not None:
            # Both: the head of the answer may come before the prompt is read.
            timeouts = replace(timeouts, first_byte_s=remote.token_timeout_s, idle_s=remote.token_timeout_s)
        path = remote.prefix + target
        for _ in range(_REDIRECTS_MAX + 1):
            exchange = self._pool.request("POST", remote.origin, path, headers, body=body, timeouts=timeouts)
            response = await _enter(remote, exchange)
            try:
                moved = redirect_target(remote.origin, path, response)
                if moved is None:
                    if response.status != 200:
                        raise await _refusal(remote, response)
                    yield inflated(response) if is_inflatable(response) else response
                    return
                path = moved
                with suppress(UpstreamError, TimeoutError):
                    async with asyncio.timeout(_REFUSAL_S):
                        await response.read(_REFUSAL_BYTES_MAX)
            finally:
                await exchange.__aexit__(None, None, None)
        raise AnswerBroken(f"provider {remote.named.provider} sends requests round in circles")

    async def post_json(
        self, remote: Remote, target: bytes, body: bytes, *, traceparent: bytes | None = None
    ) -> Json:
        """Raises: AppError."""
        async with self.open(remote, target, body, traceparent=traceparent) as response:
            return parse_answer(
                remote, await read_all(remote, response, within_s=self._answer_timeouts.first_byte_s)
            )

    async def get_json(self, remote: Remote, target: bytes) -> Json:
        """For discovery, with its own short time-outs. Raises: AppError."""
        request = self._pool.request(
            "GET",
            remote.origin,
            remote.prefix + target,
            _headers(remote, None),
            timeouts=self._discovery_timeouts,
        )
        try:
            async with request as response:
                if response.status != 200:
                    raise await _refusal(remote, response)
                return parse_answer(remote, await response.read(_JSON_BYTES_MAX))
        except UpstreamError as error:
            raise error_of_transport(remote.named, error) from error


def _headers(remote: Remote, traceparent: bytes | None) -> RawHeaders:
    headers: RawHeaders = [(b"content-type", b"application/json"), (b"accept-encoding", b"identity")]
    if remote.authorization is not None:
        headers.append((b"authorization", remote.authorization))
    if traceparent is not None:
        headers.append((b"traceparent", traceparent))
    return headers


async def _enter(remote: Remote, exchange: AbstractAsyncContextManager[UpstreamResponse]) -> UpstreamResponse:
    """Raises: AppError."""
    try:
        try:
            return await exchange.__aenter__()
        except UpstreamBusy:
            raise
        except UpstreamConnectError:
            return await exchange.__aenter__()
    except UpstreamError as error:
        raise error_of_transport(remote.named, error) from error


async def _refusal(remote: Remote, response: UpstreamResponse) -> Exception:
    try:
        async with asyncio.timeout(_REFUSAL_S):
            body = await (inflated(response) if is_inflatable(response) else response).read(
                _REFUSAL_BYTES_MAX
            )
    except (UpstreamError, TimeoutError):
        body = b""
    wait_s = retry_after_s(response)
    return error_of_status(remote.named, Answer(response.status, message_of(body), wait_s, code_of(body)))


async def read_all(remote: Remote, response: UpstreamResponse, *, within_s: float) -> bytes:
    """The whole body of an answer, which may not drip in for ever. Raises: AppError."""
    try:
        async with asyncio.timeout(within_s):
            return await response.read(_JSON_BYTES_MAX)
    except TimeoutError as error:
        text = f"provider {remote.named.provider} did not end its answer within {within_s:g} s"
        raise told(
            AnswerTimedOut(text, extra={"provider": remote.named.provider}), remote.named.address
        ) from error
    except ResponseTooLarge as error:
        raise AnswerBroken(
            f"provider {remote.named.provider} sent an answer above {_JSON_BYTES_MAX} bytes"
        ) from error
    except UpstreamError as error:
        raise error_of_transport(remote.named, error) from error


def parse_answer(remote: Remote, body: bytes) -> Json:
    """A JSON object. Raises: AnswerBroken."""
    try:
        parsed = parse_json(body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise AnswerBroken(f"provider {remote.named.provider} sent something that is not a JSON object")
    return cast("Json", parsed)
