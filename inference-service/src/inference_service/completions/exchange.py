"""One chat completion from hold to settlement, in a task that outlives the client's connection."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from shared.auth.principal import Principal
from shared.contracts.billing import DISPATCH_HEADER
from shared.deltas import usage_of
from shared.errors import AppError
from shared.http import ResponseTooLarge, UpstreamError

from inference_service.catalogue.service import Deployment
from inference_service.completions.downstream import Downstream, Headers
from inference_service.completions.figures import Figures
from inference_service.completions.request import ChatRequest
from inference_service.completions.stream import EventRelay
from inference_service.completions.whole import looks_like_json, read_whole
from inference_service.metering.meter import Bound, Charge, Dispatch, Meter
from inference_service.metering.usage import Outcome, Source, provider_figures
from inference_service.providers.errors import MAY_BE_BILLED, AnswerBroken, AnswerTimedOut, Origin
from inference_service.providers.failures import error_in_answer, error_of_transport, told
from inference_service.providers.protocol import ChatCall, ProviderResponse

log = logging.getLogger(__name__)

_BODY_BYTES_MAX = 64 * 1024 * 1024
# After [DONE] only the end of the body is missing; waiting for it keeps the connection for the next request.
_TRAILER_TIMEOUT_S = 0.25
# A client that leaves once the answer has ended pays what the provider reports: this long the report is
# waited for.
_USAGE_WAIT_S = 5.0
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
    answer_s_max: float  # from the dispatch to the end of the answer
    dispatch_id: UUID | None = None  # chosen by the caller
    drain: bool = (
        False  # read on to the end when the client leaves: the provider bills the whole answer in any case
    )


class Exchange:
    """`run` in a tracked task; `leave` when the client has gone; `stop` when it may not go on."""

    def __init__(self, meter: Meter, downstream: Downstream, plan: Plan) -> None:
        self._meter = meter
        self._downstream = downstream
        self._plan = plan
        self._phase = Phase.RESERVING
        self._left = False
        self._stopped_by: AppError | None = None
        self._begun = False
        self._task: asyncio.Task[Any] | None = None
        self._relay = EventRelay()
        self._deadline_s = 0.0  # of the event loop
        self._figures = Figures(plan.deployment.provider, plan.request, plan.call, plan.bound)

    @property
    def principal(self) -> Principal:
        return self._plan.principal

    def leave(self) -> None:
        """The client is gone: stop the provider at once and settle what came; once it has finished, hear its
        figures first.
        """
        self._left = True
        if self._plan.drain:
            return
        if self._relay.finish_seen:
            asyncio.get_running_loop().call_later(_USAGE_WAIT_S, self._cancel)
        else:
            self._cancel()

    def stop(self, error: AppError) -> None:
        """End it now, settle what came, and tell the client `error`."""
        self._stopped_by = self._stopped_by or error
        self._cancel()

    def _cancel(self) -> None:
        if self._phase is Phase.OPEN and self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """Never raises an expected error: the client has been answered when this returns."""
        self._task = asyncio.current_task()
        try:
            plan = self._plan
            dispatch = await self._meter.reserve(
                plan.principal, plan.bound, traceparent=plan.call.traceparent, dispatch_id=plan.dispatch_id
            )
        except AppError as error:
            await self._downstream.refuse(error)
            return
        if self._left or self._stopped_by is not None:
            await self._meter.release(
                dispatch, "client left before dispatch" if self._left else "ended before dispatch"
            )
            if self._stopped_by is not None:
                await self._downstream.refuse(self._stopped_by)
            return
        try:
            await self._dispatch(dispatch)
        except asyncio.CancelledError:
            if self._task is not None:
                self._task.uncancel()
            await self._settle_after_leave(dispatch)
        except MAY_BE_BILLED as error:
            self._phase = Phase.CLOSING
            usage, source = await self._figures.counted(0)
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
        headers: Headers = [(DISPATCH_HEADER, str(dispatch.id).encode())]
        if plan.request.output_tokens_asked != granted:
            headers.append((b"x-atrium-max-tokens", str(granted).encode()))
        self._relay.output_tokens_max = granted * plan.request.choices
        answer = self._stream if plan.request.stream else self._complete
        self._phase = Phase.OPEN
        self._deadline_s = asyncio.get_running_loop().time() + plan.answer_s_max
        self._meter.begin(dispatch)
        async with plan.deployment.provider.open_chat(call) as response:
            await answer(dispatch, response, headers)

    # --- one JSON answer

    async def _complete(self, dispatch: Dispatch, response: ProviderResponse, headers: Headers) -> None:
        try:
            async with asyncio.timeout_at(self._deadline_s):
                body = await response.read(_BODY_BYTES_MAX)
        except TimeoutError as error:
            raise self._too_long() from error
        except ResponseTooLarge as error:
            raise AnswerBroken(f"the provider's answer is larger than {_BODY_BYTES_MAX} bytes") from error
        except UpstreamError as error:
            raise error_of_transport(self._origin(), error) from error
        whole = read_whole(body, self._origin())
        self._phase = Phase.CLOSING
        report = usage_of(whole.members)
        usage, source = await self._figures.of_report(report, whole.count())
        figures = provider_figures(whole.members.get("id"), report)
        charge = await self._meter.settle(
            dispatch, usage, source=source, outcome=Outcome.COMPLETE, figures=figures
        )
        if charge.cost_nano is not None:
            headers.append((b"x-atrium-cost-nano", str(charge.cost_nano).encode()))
        await self._downstream.answer(whole.body, headers)

    # --- a stream

    async def _stream(self, dispatch: Dispatch, response: ProviderResponse, headers: Headers) -> None:
        failure = await self._pump(dispatch, response, headers) or self._failure()
        if self._relay.done and self._relay.usage is None:
            await self._hear_late_usage(response)
        if failure is not None and not self._begun:
            raise failure
        self._phase = Phase.CLOSING
        if failure is not None:
            await self._end_failed(dispatch, failure)
            return
        await self._end_complete(dispatch, headers)
        if self._relay.cut:
            return
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(_TRAILER_TIMEOUT_S):
                await response.read(_BODY_BYTES_MAX)

    async def _pump(
        self, dispatch: Dispatch, response: ProviderResponse, headers: Headers
    ) -> AppError | None:
        """One write downstream per read upstream, until the provider says that it is done; gives what broke
        it off.
        """
        try:
            async with asyncio.timeout_at(self._deadline_s):
                await self._relay_events(dispatch, response, headers)
        except UpstreamError as error:
            return None if self._relay.finished else error_of_transport(self._origin(), error)
        except TimeoutError:
            return None if self._relay.finished else self._too_long()
        return None

    async def _relay_events(self, dispatch: Dispatch, response: ProviderResponse, headers: Headers) -> None:
        relay = self._relay
        chunk = await response.next_chunk()
        if looks_like_json(chunk):
            chunk = read_whole(chunk + await response.read(_BODY_BYTES_MAX), self._origin()).as_events()
        while chunk:
            await self._pass_on(dispatch, relay.feed(chunk), headers)
            if relay.ended:
                return
            chunk = await response.next_chunk()
        await self._pass_on(dispatch, relay.end(), headers)

    def _too_long(self) -> AppError:
        provider, seconds = self._origin().provider, self._plan.answer_s_max
        text = (
            f"provider {provider} did not end its answer within {seconds:g} s; ask for a shorter one, or "
            "try again"
        )
        setting = "STREAM_TIMEOUT_S" if self._plan.request.stream else "ANSWER_TIMEOUT_S"
        return told(
            AnswerTimedOut(text, extra={"provider": provider}),
            f"{self._origin().address}: longer than {setting}={seconds:g}",
        )

    async def _pass_on(self, dispatch: Dispatch, events: bytes, headers: Headers) -> None:
        if not events:
            return
        dispatch.output_tokens = self._relay.count.tokens
        if not self._begun:
            self._begun = True
            await self._downstream.begin(headers)
        await self._downstream.write(events)

    async def _hear_late_usage(self, response: ProviderResponse) -> None:
        """Some providers report after their end mark."""
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(_TRAILER_TIMEOUT_S):
                while self._relay.usage is None and (chunk := await response.next_chunk()):
                    self._relay.feed(chunk)
                self._relay.end()

    def _failure(self) -> AppError | None:
        """What the stream itself says went wrong."""
        relay = self._relay
        if relay.error is not None:
            return error_in_answer(self._origin(), relay.error)
        if relay.broken is not None:
            return AnswerBroken(
                f"provider {self._origin().provider} sent a stream that cannot be read: {relay.broken}"
            )
        if not relay.finished and not relay.cut:
            return AnswerBroken(f"provider {self._origin().provider} ended its answer too early")
        return None

    async def _end_complete(self, dispatch: Dispatch, headers: Headers) -> None:
        """Settle, then tell: the figures in the last event are in the ledger before anybody reads them."""
        usage, source = await self._figures.of_stream(self._relay)
        charge = await self._meter.settle(
            dispatch, usage, source=source, outcome=Outcome.COMPLETE, figures=self._told()
        )
        if not self._begun:
            self._begun = True
            await self._downstream.begin(headers)
        last = _event(self._relay.cut_event(self._plan.request.model)) if self._relay.cut else b""
        if self._plan.request.include_usage:
            reported = self._relay.usage or {} if source is Source.PROVIDER else {}
            last += _event(self._usage_event({**reported, **usage.to_openai()}, charge))
        await self._downstream.end(last + _DONE)

    async def _end_failed(self, dispatch: Dispatch, failure: AppError) -> None:
        usage, source = await self._figures.of_stream(self._relay)
        await self._meter.settle(dispatch, usage, source=source, outcome=Outcome.FAILED, figures=self._told())
        await self._downstream.end(b"event: error\n" + _event(self._downstream.error_event(failure)))

    def _told(self) -> dict[str, Any]:
        return provider_figures(self._relay.answer_id, self._relay.usage)

    def _usage_event(self, figures: dict[str, Any], charge: Charge) -> dict[str, Any]:
        usage = {**figures, "cost_nano": charge.cost_nano, "remaining_nano": charge.remaining_nano}
        return {**self._relay.final_event(self._plan.request.model), "usage": usage}

    async def _settle_after_leave(self, dispatch: Dispatch) -> None:
        self._phase = Phase.CLOSING
        usage, source = await self._figures.when_left(self._relay, dispatch)
        await self._meter.settle(
            dispatch, usage, source=source, outcome=Outcome.STOPPED, figures=self._told()
        )
        if self._stopped_by is None:
            return
        if self._begun:
            await self._downstream.end(
                b"event: error\n" + _event(self._downstream.error_event(self._stopped_by))
            )
        else:
            await self._downstream.refuse(self._stopped_by)

    def _origin(self) -> Origin:
        provider = self._plan.deployment.provider
        return Origin(provider=provider.id, address=provider.address, setting="")


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value, default=str) + b"\n\n"
