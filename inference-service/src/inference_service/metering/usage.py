"""What a dispatch used, in exclusive buckets: each token is in exactly one, and they add up to the provider's total."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, cast

# No request can use more; a larger report is a broken provider and would overflow sums downstream.
TOKENS_MAX = 1_000_000_000


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

    def to_wire(self) -> dict[str, int]:
        """The fields by name; written out, because dataclasses.asdict copies deeply and costs 25 times as much."""
        return {name: getattr(self, name) for name in _BUCKETS}

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


_BUCKETS = tuple(bucket.name for bucket in fields(Usage))


def _tokens(source: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` that is a sensible count."""
    for name in names:
        value = source.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return min(value, TOKENS_MAX)
    return None


def _details(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _shares(total: int, *parts: int | None) -> list[int]:
    """`parts` cut down so that they fit into `total`, then what is left of it."""
    shares: list[int] = []
    left = total
    for part in parts:
        share = min(part or 0, left)
        shares.append(share)
        left -= share
    return [*shares, left]


def from_openai(report: Mapping[str, Any]) -> Usage | None:
    """The buckets of OpenAI's `usage`, whose prompt_tokens include cached and whose completion_tokens include reasoning tokens.

    None when the report does not say both totals. Embeddings report no completion tokens, which counts as 0.
    """
    prompt = _tokens(report, "prompt_tokens", "input_tokens")
    total = _tokens(report, "total_tokens")
    completion = _tokens(report, "completion_tokens", "output_tokens")
    if prompt is None:
        return None
    if completion is None:
        if total is None:
            return None
        completion = max(0, total - prompt)
    inputs = _details(report, "prompt_tokens_details")
    outputs = _details(report, "completion_tokens_details")
    cache_read, cache_write, audio_in, fresh = _shares(
        prompt,
        _tokens(inputs, "cached_tokens"),
        _tokens(inputs, "cache_creation_tokens", "cache_write_tokens"),
        _tokens(inputs, "audio_tokens"),
    )
    reasoning, audio_out, output = _shares(completion, _tokens(outputs, "reasoning_tokens"), _tokens(outputs, "audio_tokens"))
    return Usage(
        input_tokens=fresh,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        audio_in_tokens=audio_in,
        output_tokens=output,
        reasoning_tokens=reasoning,
        audio_out_tokens=audio_out,
    )
