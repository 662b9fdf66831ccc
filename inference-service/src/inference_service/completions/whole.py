"""A provider's answer that came as one JSON object."""

from dataclasses import dataclass
from typing import Any, cast

import orjson
from shared.deltas import error_of
from shared.surrogates import mended_json, parse_json

from inference_service.metering.estimate import Count
from inference_service.providers.errors import AnswerBroken, Origin
from inference_service.providers.failures import error_in_answer

Json = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Whole:
    """`body` is what the provider sent, byte for byte where it is JSON that every client can read."""

    members: Json
    body: bytes

    @property
    def choices(self) -> list[Json]:
        return [
            cast("Json", choice)
            for choice in cast("list[object]", self.members["choices"])
            if isinstance(choice, dict)
        ]

    def count(self) -> Count:
        """What its messages say."""
        count = Count()
        for choice in self.choices:
            message = choice.get("message")
            if isinstance(message, dict):
                count.add(cast("Json", message))
        return count

    def as_events(self) -> bytes:
        """The same answer as a stream: one event with what each choice says, one with its end, then usage.
        Raises: AnswerBroken.
        """
        try:
            return self._as_events()
        except orjson.JSONEncodeError as error:
            raise AnswerBroken("the provider's answer is nested too deeply to be streamed") from error

    def _as_events(self) -> bytes:
        head = {name: value for name, value in self.members.items() if name not in {"choices", "usage"}}
        head["object"] = "chat.completion.chunk"
        events: list[bytes] = []
        for choice in self.choices:
            place = {"index": choice.get("index") or 0}
            delta: object = choice.get("message") or choice.get("delta")
            events.append(
                _event({**head, "choices": [{**place, "delta": _indexed(delta), "finish_reason": None}]})
            )
            events.append(
                _event(
                    {
                        **head,
                        "choices": [
                            {**place, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
                        ],
                    }
                )
            )
        if isinstance(self.members.get("usage"), dict):
            events.append(_event({**head, "choices": [], "usage": self.members["usage"]}))
        return b"".join(events) + _DONE


def looks_like_json(chunk: bytes) -> bool:
    """Whether a body begins as an object does, and not as a stream of events."""
    return chunk.removeprefix(_BOM).lstrip()[:1] == b"{"


def read_whole(body: bytes, origin: Origin) -> Whole:
    """Raises: AppError as the provider put it; AnswerBroken when it is no answer."""
    try:
        members: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        members, body = _ragged(body)
    answer = cast("Json", members) if isinstance(members, dict) else {}
    if (error := error_of(answer)) is not None:
        raise error_in_answer(origin, error)
    if not isinstance(answer.get("choices"), list):
        text = (
            "the provider's answer is not a chat completion; an administrator should check that its "
            "address is right"
        )
        raise AnswerBroken(text, extra={"provider": origin.provider})
    return Whole(answer, body)


def _ragged(body: bytes) -> tuple[object, bytes]:
    try:
        members = mended_json(parse_json(body.strip()))
    except ValueError:
        return None, body
    return members, orjson.dumps(members)


def _indexed(message: object) -> object:
    """A message as a delta: its calls have the index that streams give them."""
    if not isinstance(message, dict):
        return {}
    members = cast("Json", message)
    calls = members.get("tool_calls")
    if not isinstance(calls, list):
        return members
    numbered = [
        {"index": place, **cast("Json", call)}
        for place, call in enumerate(cast("list[object]", calls))
        if isinstance(call, dict)
    ]
    return {**members, "tool_calls": numbered}


def _event(value: Json) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
