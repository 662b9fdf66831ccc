"""Which members of a chat request each kind of provider is sent. What is not listed is refused, so that
nothing unmeasured arrives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from inference_service.json_fields import Json, refusal, size_of

Place = Literal[
    "",
    "stream_options",
    "response_format",
    "response_format.json_schema",
    "tool_choice",
    "tool_choice.function",
    "tools",
    "tools.function",
    "messages",
    "messages.function_call",
    "messages.tool_calls",
    "messages.tool_calls.function",
    "messages.content",
    "messages.content.image_url",
]
Names = frozenset[str]

_TOP: Names = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n",
    "temperature", "top_p",
    "presence_penalty", "frequency_penalty", "stop", "seed", "logprobs", "top_logprobs", "tools",
    "tool_choice",
    "parallel_tool_calls", "response_format", "logit_bias",
})  # fmt: skip
# Checked, then left out: who asks is told to providers as a pseudonym, and what stores data elsewhere is not
# sent.
_HELD_BACK: Names = frozenset({"user", "safety_identifier", "prompt_cache_key", "metadata", "store"})
_NESTED: Mapping[Place, Names] = {
    "stream_options": frozenset({"include_usage", "include_obfuscation"}),
    "response_format": frozenset({"type", "json_schema"}),
    "response_format.json_schema": frozenset({"name", "description", "schema", "strict"}),
    "tool_choice": frozenset({"type", "function"}),
    "tool_choice.function": frozenset({"name"}),
    "tools": frozenset({"type", "function"}),
    "tools.function": frozenset({"name", "description", "parameters", "strict"}),
    "messages": frozenset({
        "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal",
        "reasoning_content", "reasoning",
        "reasoning_details",
    }),
    "messages.function_call": frozenset({"name", "arguments"}),
    "messages.tool_calls": frozenset({"id", "type", "function", "extra_content"}),
    "messages.tool_calls.function": frozenset({"name", "arguments"}),
    "messages.content": frozenset({"type", "text", "refusal", "image_url"}),
    "messages.content.image_url": frozenset({"url", "detail"}),
}  # fmt: skip
# What clients echo from an answer into the next request, and what means nothing there.
_ECHOED: Mapping[Place, Names] = {
    "messages": frozenset({"annotations"}),
    "messages.tool_calls": frozenset({"index"}),
}
_OWN: Mapping[str, Names] = {
    "llama.cpp": frozenset({"top_k", "min_p", "repeat_penalty"}),
    "openai": frozenset({"reasoning_effort", "verbosity", "top_k", "min_p", "repetition_penalty"}),
    "ollama": frozenset({"reasoning_effort"}),
}
_OWN_HELD_BACK: Mapping[str, Names] = {
    "llama.cpp": frozenset({"reasoning_effort", "verbosity"}),
    "openai": frozenset(),
    "ollama": frozenset({"verbosity", "logit_bias", "parallel_tool_calls", "n"}),
}
KINDS = tuple(_OWN)
# How servers are told who asks; set by us only.
PERSON_MEMBERS: Names = frozenset({"user", "safety_identifier", "prompt_cache_key", "cache_salt"})
_KNOWN: Names = _TOP.union(*_OWN.values())
PLACES: tuple[Place, ...] = ("", *_NESTED)
# Where more output is asked for under another name: only an operator can let these through, and then within
# the bound.
LIMIT_NAMES: Names = frozenset({
    "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_tokens_to_sample",
    "max_gen_len", "max_length",
    "min_tokens", "min_new_tokens", "min_length", "min_completion_tokens", "n_predict", "num_predict",
    "n_tokens", "maxTokens",
    "maxOutputTokens", "budget_tokens", "thinking_budget", "reasoning_budget", "thinking_token_budget",
    "reasoning_budget_tokens",
})  # fmt: skip
CHOICE_NAMES: Names = frozenset(
    {"n", "best_of", "num_return_sequences", "candidate_count", "candidateCount", "n_cmpl", "num_generations"}
)


@dataclass(frozen=True, slots=True)
class Members:
    """The names one kind of provider is sent, and those that are left out without a word, by the place where
    they stand.
    """

    passed: Mapping[Place, Names]
    dropped: Mapping[Place, Names]

    def admit(self, body: Json) -> Json:
        """What of `body` is sent on; nulls count as absent. Raises: BadRequest `unknown_parameter` naming the
        member.
        """
        admitted = self._only("", "", body)
        for name, place in _OBJECTS:
            if isinstance(value := admitted.get(name), dict):
                admitted[name] = self._object(name, place, cast("Json", value))
        if "tools" in admitted:
            admitted["tools"] = [
                self._object(f"tools[{at}]", "tools", tool)
                for at, tool in enumerate(_objects(admitted["tools"]))
            ]
        messages = _objects(admitted["messages"])
        admitted["messages"] = [
            self._message(f"messages[{at}]", message) for at, message in enumerate(messages)
        ]
        return admitted

    def _message(self, param: str, message: Json) -> Json:
        sent = self._object(param, "messages", message)
        if isinstance(message.get("content"), list):
            parts = enumerate(_objects(message["content"]))
            sent["content"] = [
                self._object(f"{param}.content[{at}]", "messages.content", part) for at, part in parts
            ]
        elif sent.get("content") is None:
            sent["content"] = None  # required even where it is null
        if isinstance(sent.get("tool_calls"), list):
            calls = enumerate(_objects(sent["tool_calls"]))
            sent["tool_calls"] = [
                self._object(f"{param}.tool_calls[{at}]", "messages.tool_calls", call) for at, call in calls
            ]
        return sent

    def _object(self, param: str, place: Place, value: Json) -> Json:
        """`value` and the objects in it that have a place of their own."""
        sent = self._only(param, place, value)
        for name, inner in _INSIDE.get(place, ()):
            if isinstance(found := sent.get(name), dict):
                sent[name] = self._object(f"{param}.{name}", inner, cast("Json", found))
        return sent

    def _only(self, param: str, place: Place, value: Json) -> Json:
        passed = self.passed[place]
        if value.keys() <= passed and None not in value.values():
            return dict(value)
        sent = {name: member for name, member in value.items() if member is not None}
        dropped = self.dropped.get(place, frozenset())
        for name in sent.keys() - passed:
            if name not in dropped:
                raise _unknown(f"{param}.{name}" if param else name)
            del sent[name]
        return sent


_OBJECTS: tuple[tuple[str, Place], ...] = (
    ("stream_options", "stream_options"),
    ("response_format", "response_format"),
    ("tool_choice", "tool_choice"),
)
_INSIDE: Mapping[Place, tuple[tuple[str, Place], ...]] = {
    "response_format": (("json_schema", "response_format.json_schema"),),
    "tool_choice": (("function", "tool_choice.function"),),
    "tools": (("function", "tools.function"),),
    "messages": (("function_call", "messages.function_call"),),
    "messages.tool_calls": (("function", "messages.tool_calls.function"),),
    "messages.content": (("image_url", "messages.content.image_url"),),
}


def _objects(entries: object) -> list[Json]:
    """The list as it was checked by the parser."""
    return cast("list[Json]", entries)


def _unknown(param: str) -> Exception:
    text = (
        f"{param[:200]} is not a parameter that is passed on to this model; leave it out, or an operator "
        "lists it in "
        "PROVIDER_EXTRA_PARAMETERS"
    )
    return refusal(text, param[:200], "unknown_parameter")


def members_of(kind: str, extra: Sequence[tuple[Place, str]] = ()) -> Members:
    """The names for one kind of provider, with what an operator lets through besides."""
    passed: dict[Place, Names] = {**_NESTED, "": _TOP | _OWN[kind]}
    for place, name in extra:
        passed[place] |= {name}
    passed[""] -= _OWN_HELD_BACK[kind] - {name for place, name in extra if not place}
    dropped: dict[Place, Names] = {**_ECHOED, "": _HELD_BACK | _OWN_HELD_BACK[kind]}
    return Members(passed, dropped)


def parse_extra(value: str) -> dict[str, list[tuple[Place, str]]]:
    """Entries such as `openai:service_tier;openai:messages.prefix`, by kind. Raises: ValueError saying which
    one is wrong.
    """
    found: dict[str, list[tuple[Place, str]]] = {kind: [] for kind in KINDS}
    for entry in filter(None, (part.strip() for part in value.split(";"))):
        kind, colon, path = entry.partition(":")
        place, _, name = path.rpartition(".")
        if kind not in KINDS or not colon or not name or place not in PLACES:
            places = ", ".join(filter(None, PLACES))
            raise ValueError(
                f"{entry!r} must be <kind>:<name> or <kind>:<place>.<name>; kinds: {', '.join(KINDS)}; "
                f"places: {places}"
            )
        found[kind].append((place, name))
    return found


def within(body: Json, *, output_tokens: int, choices: int) -> Json:
    """`body` with what an operator let through bounded: every spelling of an output limit or of a number of
    choices, at any depth.
    """
    if body.keys() <= _KNOWN:
        return body
    return {
        name: value if name in _KNOWN else _bounded(name, value, output_tokens, choices)
        for name, value in body.items()
    }


def _bounded(name: str, value: object, output_tokens: int, choices: int) -> object:
    if isinstance(value, dict):
        return {
            inner: _bounded(inner, held, output_tokens, choices)
            for inner, held in cast("Json", value).items()
        }
    most = output_tokens if name in LIMIT_NAMES else choices if name in CHOICE_NAMES else None
    if most is None:
        return value
    # -1 and the like mean "without end" to some servers.
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else most


def unlisted(body: Json) -> Json:
    """The members that only an operator can let through."""
    return {name: value for name, value in body.items() if name not in _KNOWN and name not in _HELD_BACK}


def unlisted_bytes(body: Json) -> int:
    """Bytes of the members that only an operator can let through: they may become input."""
    if body.keys() <= _KNOWN | _HELD_BACK:
        return 0
    return sum(
        size_of(value, name) for name, value in body.items() if name not in _KNOWN and name not in _HELD_BACK
    )
