"""OpenRouter's own figures: the final cost of one generation, and the activity of one day.

Shapes: openrouter.ai/docs, `GET /generation?id=` (any key) and `GET /activity?date=` (a management key;
complete UTC days of the last 30).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx
from shared.clock import utc_now
from shared.contracts.billing import TOKENS_MAX
from shared.money import NANO

_ANSWER_BYTES_MAX = 16 * 1024 * 1024
_ROWS_MAX = 100_000
_WAIT_DEFAULT_S = 60.0
_WAIT_MAX_S = 3600.0
_AMOUNT_MAX = Decimal(1_000_000_000)
_MODEL_CHARS_MAX = 200
# Another provider's ids may look like OpenRouter's; of what it cannot read as one it says so with the other
# two.
_NO_SUCH_ID = frozenset({400, 404, 422})


class ProviderPausedError(Exception):
    """Ask again after `wait_s`: the provider limits calls, or does not answer."""

    def __init__(self, reason: str, *, wait_s: float) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class ProviderRefusedError(Exception):
    """The provider will not answer this: the key is wrong or may not, or the answer cannot be read."""


class AnswerUnreadableError(ProviderRefusedError):
    """This one answer holds something else than it should; others may be well."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What one call was billed in the end."""

    model: str
    cost_nano: int
    input_tokens: int
    output_tokens: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """What one model was used for on one UTC day, over all keys of the account."""

    day: date
    model: str
    names: frozenset[str]
    cost_nano: int
    requests: int
    input_tokens: int
    output_tokens: int


class OpenRouter:
    """Reads figures; `management_key` is needed for the activity only."""

    def __init__(self, client: httpx.AsyncClient, *, key: str, management_key: str | None) -> None:
        self._client = client
        self._key = key
        self._management_key = management_key

    @property
    def knows_activity(self) -> bool:
        return self._management_key is not None

    async def generation(self, generation_id: str) -> Generation | None:
        """None while the provider does not know it (yet). Raises: ProviderPausedError, ProviderRefusedError,
        AnswerUnreadableError.
        """
        answer = await self._get("/generation", {"id": generation_id}, self._key, unknown=_NO_SUCH_ID)
        if answer is None:
            return None
        return _generation(_mapping(answer.get("data")))

    async def activity(self, day: date) -> list[Activity]:
        """One row a model. Raises: ProviderPausedError, ProviderRefusedError."""
        answer = await self._get("/activity", {"date": day.isoformat()}, self._management_key or self._key)
        rows = (answer or {}).get("data")
        if not isinstance(rows, list):
            raise ProviderRefusedError("the activity is not a list")
        return _by_model(day, cast("list[object]", rows[:_ROWS_MAX]))

    async def _get(
        self, path: str, query: Mapping[str, str], key: str, *, unknown: frozenset[int] = frozenset({404})
    ) -> dict[str, Any] | None:
        try:
            async with self._client.stream(
                "GET", path, params=query, headers={"authorization": f"Bearer {key}"}
            ) as response:
                body = await _read(response)
        except httpx.HTTPError as error:
            raise ProviderPausedError(
                f"OpenRouter does not answer ({type(error).__name__})", wait_s=_WAIT_DEFAULT_S
            ) from error
        if response.status_code in unknown:
            return None
        if response.status_code == 429 or response.status_code >= 500:
            raise ProviderPausedError(
                f"OpenRouter answered {response.status_code}", wait_s=_wait_s(response.headers)
            )
        if response.status_code != 200:
            raise ProviderRefusedError(
                f"OpenRouter answered {response.status_code} to {path}; check the key that is set for it"
            )
        try:
            # Decimal: the cost is a decimal number, and money never passes through binary fractions.
            return _mapping(json.loads(body, parse_float=Decimal))
        except ValueError as error:
            raise ProviderRefusedError(f"OpenRouter's answer to {path} cannot be read") from error


async def _read(response: httpx.Response) -> bytes:
    chunks, size = list[bytes](), 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > _ANSWER_BYTES_MAX:
            raise ProviderRefusedError(f"OpenRouter's answer is larger than {_ANSWER_BYTES_MAX} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _wait_s(headers: httpx.Headers) -> float:
    """Seconds of Retry-After, which is a number or a date (RFC 9110 section 10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        wait_s = float(value)
    except ValueError:
        try:
            wait_s = (parsedate_to_datetime(value) - utc_now()).total_seconds()
        except (ValueError, TypeError):
            wait_s = _WAIT_DEFAULT_S
    return min(max(wait_s, 1.0), _WAIT_MAX_S) if math.isfinite(wait_s) else _WAIT_DEFAULT_S


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AnswerUnreadableError("OpenRouter's answer has another shape than its documentation says")
    return cast("dict[str, Any]", value)


def _nano(value: object) -> int:
    """Nano-USD of a number, rounded up: the smallest amounts are finer than a nano-USD."""
    amount = (
        Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal(0)
    )
    if not amount.is_finite() or not 0 <= amount <= _AMOUNT_MAX:
        raise AnswerUnreadableError("OpenRouter's answer holds a cost that cannot be")
    return math.ceil(amount * NANO)


def _count(value: object) -> int:
    return (
        min(max(int(value), 0), TOKENS_MAX)
        if isinstance(value, int | Decimal) and not isinstance(value, bool)
        else 0
    )


def _name(value: object) -> str:
    if not isinstance(value, str) or not value or "\x00" in value:
        raise AnswerUnreadableError("OpenRouter's answer names no model")
    return value[:_MODEL_CHARS_MAX]


def _generation(data: dict[str, Any]) -> Generation:
    native_input, native_output = data.get("native_tokens_prompt"), data.get("native_tokens_completion")
    return Generation(
        model=_name(data.get("model")),
        cost_nano=_nano(data.get("total_cost")),
        input_tokens=_count(data.get("tokens_prompt") if native_input is None else native_input),
        output_tokens=_count(data.get("tokens_completion") if native_output is None else native_output),
        created_at=_moment(data.get("created_at")),
    )


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise AnswerUnreadableError("OpenRouter's answer has no time that can be read") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _by_model(day: date, rows: list[object]) -> list[Activity]:
    """One entry a model; OpenRouter lists each endpoint of a model."""
    found: dict[str, Activity] = {}
    for row in map(_mapping, rows):
        if str(row.get("date", ""))[:10] != day.isoformat():
            continue
        model = _name(row.get("model"))
        names = frozenset({model, str(row.get("model_permaslug") or model)[:_MODEL_CHARS_MAX]})
        before = found.get(model) or Activity(day, model, frozenset(), 0, 0, 0, 0)
        found[model] = Activity(
            day=day,
            model=model,
            names=before.names | names,
            cost_nano=before.cost_nano + _nano(row.get("usage")),
            requests=before.requests + _count(row.get("requests")),
            input_tokens=before.input_tokens + _count(row.get("prompt_tokens")),
            output_tokens=before.output_tokens + _count(row.get("completion_tokens")),
        )
    return list(found.values())
