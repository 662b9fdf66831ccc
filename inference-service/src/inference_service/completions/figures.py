"""What a completion is charged for: the provider's figures, or our own where it gives none."""

from dataclasses import dataclass

from inference_service.completions.request import ChatRequest
from inference_service.completions.stream import EventRelay
from inference_service.metering.estimate import Count, tokens_unseen
from inference_service.metering.meter import Bound, Dispatch
from inference_service.metering.usage import Source, Usage, from_openai
from inference_service.providers.protocol import ChatCall, Json, Provider


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one completion. Everything here is an amount to charge; billing caps it at the hold."""

    provider: Provider
    request: ChatRequest
    call: ChatCall
    bound: Bound

    async def of_stream(self, relay: EventRelay) -> tuple[Usage, Source]:
        """A stream that ended, well or not, while its reader was there."""
        if relay.cut:
            return await self._at_least(relay.usage, relay.count.least_tokens)
        return await self.of_report(relay.usage, relay.count)

    async def of_report(self, report: Json | None, count: Count) -> tuple[Usage, Source]:
        """The provider's figures; with several choices never below what was seen, since some count one choice
        only.
        """
        usage = from_openai(report) if report is not None else None
        if usage is None:
            return await self.counted(count.tokens)
        if self.request.choices > 1 and count.least_tokens > usage.completion_tokens:
            return usage.with_completion(count.least_tokens), Source.PARTIAL
        return usage, Source.PROVIDER

    async def when_left(self, relay: EventRelay, dispatch: Dispatch) -> tuple[Usage, Source]:
        """An answer that was left: the provider's figures once it had finished, else not less than what it
        may bill.
        """
        if relay.finish_seen and relay.usage is not None:
            return await self.of_report(relay.usage, relay.count)
        seen = relay.count.when_left() if self.request.stream else tokens_unseen(dispatch.latency_ms() / 1000)
        most = dispatch.output_tokens_granted * self.request.choices
        usage, _ = await self._at_least(relay.usage, min(seen, most))
        return usage, Source.PARTIAL

    async def counted(self, output_tokens: int) -> tuple[Usage, Source]:
        """Our own figures: the provider's tokenizer for the input where it is at hand, else an estimate."""
        counted = await self.provider.count_input_tokens(self.call)
        estimate = min(self.request.input_tokens_estimate, self.bound.input_tokens_max)
        source = Source.PARTIAL if counted is None else Source.TOKENIZER
        return Usage(
            input_tokens=estimate if counted is None else counted, output_tokens=output_tokens
        ), source

    async def _at_least(self, report: Json | None, output_tokens: int) -> tuple[Usage, Source]:
        """What was reported so far, raised to what was seen."""
        usage = from_openai(report) if report is not None else None
        if usage is None:
            return await self.counted(output_tokens)
        return usage.with_completion(max(output_tokens, usage.completion_tokens)), Source.PARTIAL
