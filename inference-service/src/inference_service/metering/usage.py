"""What a dispatch used, in exclusive buckets: each token is in exactly one, and they add up to the provider's
total.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

from shared.contracts.billing import TOKENS_MAX

_DIGITS_MAX = 20


class Source(StrEnum):
    """Where the figures come from."""

    PROVIDER = "provider"
    PARTIAL = "partial"
    TOKENIZER = "tokenizer"
    RECONCILED = "reconciled"


class Outcome(StrEnum):
    """How the dispatch ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Usage:
    """Exclusive token buckets."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    audio_in_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_out_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.audio_in_tokens

    @property
    def completion_tokens(self) -> int:
        return self.output_tokens + self.reasoning_tokens + self.audio_out_tokens

    def with_completion(self, completion_tokens: int) -> "Usage":
        """The same with at least so many completion tokens."""
        missing = min(completion_tokens, TOKENS_MAX) - self.completion_tokens
        return self if missing <= 0 else replace(self, output_tokens=self.output_tokens + missing)

    def to_wire(self) -> dict[str, int]:
        """The fields by name; written out, because dataclasses.asdict copies deeply and costs 25 times as
        much.
        """
        return {name: getattr(self, name) for name in _BUCKETS}

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


_BUCKETS = tuple(bucket.name for bucket in fields(Usage))


def _tokens(source: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` that is a sensible count; some providers write it as a float or as text."""
    for name in names:
        count = _number(source.get(name))
        if count is not None and count >= 0:
            return int(min(count, TOKENS_MAX))
    return None


def _number(value: object) -> float | None:
    if isinstance(value, str) and len(value) <= _DIGITS_MAX:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _details(source: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The first of `names` that is an object."""
    for name in names:
        value = source.get(name)
        if isinstance(value, dict):
            return cast("Mapping[str, Any]", value)
    return {}


def _shares(total: int, *parts: int | None) -> list[int]:
    """`parts` cut down so that they fit into `total`, then what is left of it."""
    shares: list[int] = []
    left = total
    for part in parts:
        share = min(part or 0, left)
        shares.append(share)
        left -= share
    return [*shares, left]


@dataclass(frozen=True, slots=True)
class _Input:
    """Prompt tokens with everything that was read, and what of it came from where."""

    prompt: int
    cache_read: int
    cache_write: int
    audio: int | None


def from_openai(report: Mapping[str, Any]) -> Usage | None:
    """The buckets of a provider's `usage`: OpenAI's, whose totals include cached and reasoning tokens, and
    what others make of it.

    Tokens that only the total or the reasoning figure tells of are charged as output: providers bill them.
    None when the report does not say both totals, or says that nothing was read and written. Embeddings
    report no completion tokens, which counts as 0.
    """
    total = _tokens(report, "total_tokens")
    completion = _tokens(report, "completion_tokens", "output_tokens")
    if completion is None and total is None:
        return None
    read = _input(report, (total - completion) if total is not None and completion is not None else None)
    if read is None:
        return None
    outputs = _details(report, "completion_tokens_details", "output_tokens_details")
    reasoning = _tokens(outputs, "reasoning_tokens") or _tokens(report, "reasoning_tokens") or 0
    completion = _completion(read.prompt, completion, total, reasoning)
    if read.prompt == 0 and completion == 0:
        return None
    cache_read, cache_write, audio_in, fresh = _shares(
        read.prompt, read.cache_read, read.cache_write, read.audio
    )
    thought, audio_out, output = _shares(completion, reasoning, _tokens(outputs, "audio_tokens"))
    return Usage(
        input_tokens=fresh,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        audio_in_tokens=audio_in,
        output_tokens=output,
        reasoning_tokens=thought,
        audio_out_tokens=audio_out,
    )


def _completion(prompt: int, completion: int | None, total: int | None, reasoning: int) -> int:
    """All tokens the model made. Reasoning that does not fit into the figure for the answer stands
    beside it.
    """
    made = completion or 0
    if reasoning > made:
        made += reasoning
    return min(max(made, (total or 0) - prompt), TOKENS_MAX)


def _input(report: Mapping[str, Any], prompt_by_total: int | None) -> _Input | None:
    """`prompt_by_total`: the total without the answer."""
    prompt = _tokens(report, "prompt_tokens", "input_tokens")
    if prompt is None:
        return None
    details = _details(report, "prompt_tokens_details", "input_tokens_details")
    hit, miss = (
        _tokens(report, "prompt_cache_hit_tokens"),
        _tokens(report, "prompt_cache_miss_tokens"),
    )  # DeepSeek
    own_read, own_write = (
        _tokens(report, "cache_read_input_tokens"),
        _tokens(report, "cache_creation_input_tokens"),
    )  # Anthropic
    cache_read = _tokens(details, "cached_tokens") or own_read or hit or _tokens(report, "cached_tokens") or 0
    cache_write = _tokens(details, "cache_creation_tokens", "cache_write_tokens") or own_write or 0
    cached = (own_read or 0) + (own_write or 0)
    # Anthropic's input_tokens leave out what its cache read or wrote; under OpenAI's name they are mostly
    # within.
    beside = cached > prompt or prompt_by_total == prompt + cached or "prompt_tokens" not in report
    if cached and beside:
        prompt += cached
    prompt = max(prompt, (hit or 0) + (miss or 0))
    return _Input(min(prompt, TOKENS_MAX), cache_read, cache_write, _tokens(details, "audio_tokens"))


_NANO = 1_000_000_000
_COST_MAX_USD = 1_000_000
# OpenRouter's ids: its final cost of a call is asked for by them.
_KEPT_ID = re.compile(r"gen-[\x21-\x7e]{1,190}")


def provider_figures(answer_id: object, report: Mapping[str, Any] | None) -> dict[str, Any]:
    """What billing compares with the provider's own books later: its id of the call and the cost that it
    named at once, if any.
    """
    if not isinstance(answer_id, str) or _KEPT_ID.fullmatch(answer_id) is None:
        return {}
    cost = (report or {}).get("cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 <= cost <= _COST_MAX_USD:
        return {"provider_request_id": answer_id}
    # By its decimal digits, rounded up: binary fractions would add or lose a nano-USD.
    return {"provider_request_id": answer_id, "provider_cost_nano": math.ceil(Decimal(str(cost)) * _NANO)}
