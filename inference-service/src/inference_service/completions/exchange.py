"""One chat completion from hold to settlement, in a task that outlives the client's connection."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

import orjson
from shared.auth import Principal
from shared.errors import AppError
from shared.http import ResponseTooLarge, UpstreamError

from inference_service.catalogue.service import Deployment
from inference_service.completions.downstream import Downstream, Headers
from inference_service.completions.request import ChatRequest
from inference_service.completions.stream import EventRelay
from inference_service.metering.meter import Bound, Charge, Dispatch, Meter
from inference_service.metering.usage import Outcome, Source, Usage, from_openai
from inference_service.providers.errors import MAY_BE_BILLED, Answer, AnswerBroken, Origin, error_of_status, error_of_transport, message_of
from inference_service.providers.protocol import ChatCall, ProviderResponse

log = logging.getLogger(__name__)

_BODY_BYTES_MAX = 64 * 1024 * 1024
# After [DONE] only the end of the body is missing; waiting for it keeps the connection for the next request.
_TRAILER_TIMEOUT_S = 0.25
_DONE = b"data: [DONE]\n\n"


class Phase(StrEnum):
    """`leave` may interrupt an exchange only while the provider works; settlement always runs to its end."""

    RESERVING = "reserving"
    OPEN = "open"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything decided before the hold."""

    principal: Principal
    request: ChatRequest
    deployment: Deployment
    call: ChatCall
    bound: Bound


class Exchange:
    """`run` in a tracked task; `leave` when the client has gone."""

    def __init__(self, meter: Meter, downstream: Downstream, plan: Plan) -> None:
        self._meter = meter
        self._downstream = downstream
        self._plan = plan
        self._phase = Phase.RESERVING
        self._left = False
        self._begun = False
        self._task: asyncio.Task[Any] | None = None
        self._relay = EventRelay()

    def leave(self) -> None:
        """The client is gone: stop the provider at once and settle what came."""
        self._left = True
        if self._phase is Phase.OPEN and self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """Never raises an expected error: the client has been answered when this returns."""
        self._task = asyncio.current_task()
        try:
            dispatch = await self._meter.reserve(self._plan.principal, self._plan.bound, traceparent=self._plan.call.traceparent)
        except AppError as error:
            await self._downstream.refuse(error)
            return
        if self._left:
            await self._meter.release(dispatch, "client left before dispatch")
            return
        try:
            await self._dispatch(dispatch)
        except asyncio.CancelledError:
            if self._task is not None:
                self._task.uncancel()
            await self._settle_after_leave(dispatch)
        except MAY_BE_BILLED as error:
            self._phase = Phase.CLOSING
            usage, source = await self._counted(0)
            await self._meter.settle(dispatch, usage, source=source, outcome=Outcome.FAILED)
            await self._downstream.refuse(error)
        except AppError as error:
            # The provider refused or was never reached, so nothing is charged.
            self._phase = Phase.CLOSING
            await self._meter.release(dispatch, error.code)
            await self._downstream.refuse(error)
        except Exception:
            # The edge of the task: a hold must end and a client must hear, whatever our own mistake.
            log.exception("chat completion failed")
            self._phase = Phase.CLOSING
            await self._give_up(dispatch)

    async def _give_up(self, dispatch: Dispatch) -> None:
        error = AppError("something went wrong on our side; quote the request id to your operator")
        if dispatch.id not in self._meter.live:
            await self._downstream.end(b"")
        elif self._begun:
            await self._end_failed(dispatch, error)
        else:
            await self._meter.release(dispatch, error.code)
            await self._downstream.refuse(error)

    async def _dispatch(self, dispatch: Dispatch) -> None:
        """Raises: AppError when the provider fails before any output."""
        plan = self._plan
        granted = min(plan.call.output_tokens_max, dispatch.output_tokens_granted)
        call = replace(plan.call, output_tokens_max=granted)
        headers: Headers = [(b"x-atrium-dispatch-id", str(dispatch.id).encode())]
        if plan.request.output_tokens_asked != granted:
            headers.append((b"x-atrium-max-tokens", str(granted).encode()))
        answer = self._stream if plan.request.stream else self._complete
        self._phase = Phase.OPEN
        async with plan.deployment.provider.open_chat(call) as response:
            await answer(dispatch, response, headers)

    # --- one JSON answer

    async def _complete(self, dispatch: Dispatch, response: ProviderResponse, headers: Headers) -> None:
        try:
            body = await response.read(_BODY_BYTES_MAX)
        except ResponseTooLarge as error:
            raise AnswerBroken(f"the provider's answer is larger than {_BODY_BYTES_MAX} bytes") from error
        except UpstreamError as error:
            raise error_of_transport(self._origin(), error) from error
        parsed = _parse_completion(body)
        self._phase = Phase.CLOSING
        report = parsed.get("usage")
        usage = from_openai(cast("dict[str, Any]", report)) if isinstance(report, dict) else None
        source = Source.PROVIDER
        if usage is None:
            usage, source = await self._counted(_count_answer(parsed))
        charge = await self._meter.settle(dispatch, usage, source=source, outcome=Outcome.COMPLETE)
        if charge.cost_nano is not None:
            headers.append((b"x-atrium-cost-nano", str(charge.cost_nano).encode()))
        await self._downstream.answer(body, headers)

    # --- a stream

    async def _stream(self, dispatch: Dispatch, response: ProviderResponse, headers: Headers) -> None:
        failure = await self._pump(dispatch, response, headers) or self._failure()
        if failure is not None and not self._begun:
            raise failure
        self._phase = Phase.CLOSING
        if failure is not None:
            await self._end_failed(dispatch, failure)
            return
        await self._end_complete(dispatch, headers)
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(_TRAILER_TIMEOUT_S):
                await response.read(_BODY_BYTES_MAX)

    async def _pump(self, dispatch: Dispatch, response: ProviderResponse, headers: Headers) -> AppError | None:
        """One write downstream per read upstream, until the provider says that it is done; gives what broke the connection."""
        relay, downstream = self._relay, self._downstream
        try:
            while not relay.ended and (chunk := await response.next_chunk()):
                events = relay.feed(chunk)
                if not events:
                    continue
                dispatch.output_tokens = relay.output_tokens
                if not self._begun:
                    self._begun = True
                    await downstream.begin(headers)
                await downstream.write(events)
        except UpstreamError as error:
            return error_of_transport(self._origin(), error)
        return None

    def _failure(self) -> AppError | None:
        """What the stream itself says went wrong."""
        relay = self._relay
        if relay.error is not None:
            code = relay.error.get("code")
            return error_of_status(self._origin(), Answer(code if isinstance(code, int) else 502, message_of(relay.error), None))
        if relay.broken is not None:
            return AnswerBroken(f"provider {self._origin().provider} sent a stream that cannot be read: {relay.broken}")
        if not relay.finished:
            return AnswerBroken(f"provider {self._origin().provider} ended its answer too early")
        return None

    async def _end_complete(self, dispatch: Dispatch, headers: Headers) -> None:
        """Settle, then tell: the figures in the last event are in the ledger before anybody reads them."""
        usage, source = await self._final_usage()
        charge = await self._meter.settle(dispatch, usage, source=source, outcome=Outcome.COMPLETE)
        if not self._begun:
            self._begun = True
            await self._downstream.begin(headers)
        figures = self._relay.usage if source is Source.PROVIDER else None
        last = _event(self._usage_event(figures or usage.to_openai(), charge)) if self._plan.request.include_usage else b""
        await self._downstream.end(last + _DONE)

    async def _end_failed(self, dispatch: Dispatch, failure: AppError) -> None:
        usage, source = await self._final_usage()
        await self._meter.settle(dispatch, usage, source=source, outcome=Outcome.FAILED)
        await self._downstream.end(b"event: error\n" + _event(self._downstream.error_event(failure)))

    def _usage_event(self, figures: dict[str, Any], charge: Charge) -> dict[str, Any]:
        usage = {**figures, "cost_nano": charge.cost_nano, "remaining_nano": charge.remaining_nano}
        return {**self._relay.final_event(self._plan.request.model), "usage": usage}

    # --- counting

    async def _final_usage(self) -> tuple[Usage, Source]:
        usage = from_openai(self._relay.usage) if self._relay.usage is not None else None
        if usage is not None:
            return usage, Source.PROVIDER
        return await self._counted(self._relay.output_tokens)

    async def _counted(self, output_tokens: int) -> tuple[Usage, Source]:
        """Our own figures: the provider's tokenizer for the input where it is at hand, else an estimate; deltas for the output."""
        counted = await self._plan.deployment.provider.count_input_tokens(self._plan.call)
        estimate = min(self._plan.request.input_tokens_estimate, self._plan.bound.input_tokens_max)
        source = Source.PARTIAL if counted is None else Source.TOKENIZER
        return Usage(input_tokens=estimate if counted is None else counted, output_tokens=output_tokens), source

    async def _settle_after_leave(self, dispatch: Dispatch) -> None:
        self._phase = Phase.CLOSING
        usage, source = await self._final_usage()
        if source is not Source.PROVIDER:
            source = Source.PARTIAL
        await self._meter.settle(dispatch, usage, source=source, outcome=Outcome.STOPPED)

    def _origin(self) -> Origin:
        provider = self._plan.deployment.provider
        return Origin(provider=provider.id, address=provider.address, setting="")


def _parse_completion(body: bytes) -> dict[str, Any]:
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    answer = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if not isinstance(answer.get("choices"), list):
        raise AnswerBroken("the provider's answer is not a chat completion; its address may be another kind of server")
    return answer


def _count_answer(answer: dict[str, Any]) -> int:
    """Tokens of an answer without usage, by its bytes: four to a token."""
    choices = [cast("dict[str, Any]", choice) for choice in cast("list[object]", answer["choices"]) if isinstance(choice, dict)]
    return sum(-(-len(orjson.dumps(choice["message"])) // 4) for choice in choices if choice.get("message"))


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value, default=str) + b"\n\n"
