"""Checks on the scalar parameters of a chat request."""

from collections.abc import Mapping
from typing import cast

from inference_service.json_fields import Json, boolean, integer, number, refusal, size_of, text

_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "min_p": (0, 1),
    "repetition_penalty": (0, 10),
    "repeat_penalty": (0, 10),
}
_TEXTS: Mapping[str, int] = {
    "user": 512,
    "safety_identifier": 512,
    "prompt_cache_key": 512,
    "reasoning_effort": 32,
    "verbosity": 32,
}
_STOPS_MAX = 16
_STOP_CHARS_MAX = 4096
_TOOL_NAME_CHARS_MAX = 256
_BIASES_MAX = 300
_BIAS_MAX = 100
_METADATA_BYTES_MAX = 16 * 1024
_SEED_MAX = 2**63 - 1
_TOP_K_MAX = 1_000_000


def check_parameters(body: Json) -> None:
    """Raises: BadRequest naming the parameter."""
    for name, (least, most) in _NUMBERS.items():
        if name in body:
            number(body, name, least=least, most=most)
    for name, most in _TEXTS.items():
        if name in body:
            text(body, name, most=most)
    integer(body, "top_logprobs", least=0, most=20)
    integer(body, "top_k", least=-1, most=_TOP_K_MAX)
    integer(body, "seed", least=-_SEED_MAX, most=_SEED_MAX)
    boolean(body, "logprobs")
    boolean(body, "parallel_tool_calls")
    if boolean(body, "store"):
        reason = "answers are not stored at providers; leave store out or set it to false"
        raise refusal(reason, "store", "unsupported_value")
    _check_stop(body.get("stop"))
    _check_tool_choice(body.get("tool_choice"), body.get("tools"))
    _check_biases(body.get("logit_bias"))
    _check_metadata(body.get("metadata"))


def _check_stop(stop: object) -> None:
    if stop is None:
        return
    entries = cast("list[object]", stop) if isinstance(stop, list) else [stop]
    if not all(isinstance(entry, str) and len(entry) <= _STOP_CHARS_MAX for entry in entries):
        raise refusal(
            f"stop must be a string or a list of strings of at most {_STOP_CHARS_MAX} characters",
            "stop",
            "invalid_type",
        )
    if len(entries) > _STOPS_MAX:
        raise refusal(f"stop holds more than {_STOPS_MAX} strings", "stop")


def _check_tool_choice(choice: object, tools: object) -> None:
    if choice is None or choice in ("none", "auto"):
        return
    if choice in ("required", "any"):
        if not tools:
            raise refusal("tool_choice asks for a call, and there are no tools", "tool_choice")
        return
    chosen = cast("Json", choice) if isinstance(choice, dict) else {}
    named = chosen.get("function") if chosen.get("type") in {"function", None} else None
    name = cast("Json", named).get("name") if isinstance(named, dict) else None
    if not isinstance(name, str) or len(name) > _TOOL_NAME_CHARS_MAX:
        raise refusal(
            'tool_choice must be none, auto, required or {"type": "function", "function": {"name": ...}}',
            "tool_choice",
        )
    offered = cast("list[Json]", tools) if isinstance(tools, list) else []  # which are well-formed by now
    if all(tool["function"]["name"] != name for tool in offered):
        raise refusal("tool_choice names a tool that is not among tools", "tool_choice")


def _check_biases(biases: object) -> None:
    if biases is None:
        return
    if not isinstance(biases, dict) or len(cast("Json", biases)) > _BIASES_MAX:
        raise refusal(
            f"logit_bias must be an object of at most {_BIASES_MAX} token ids", "logit_bias", "invalid_type"
        )
    for token, bias in cast("Json", biases).items():
        is_number = isinstance(bias, int | float) and not isinstance(bias, bool)
        if not token.isdigit() or not is_number or not -_BIAS_MAX <= bias <= _BIAS_MAX:
            raise refusal(
                f"logit_bias must give token ids numbers between -{_BIAS_MAX} and {_BIAS_MAX}", "logit_bias"
            )


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or size_of(cast("Json", metadata), "metadata") > _METADATA_BYTES_MAX:
        raise refusal(
            f"metadata must be an object of at most {_METADATA_BYTES_MAX} bytes", "metadata", "invalid_type"
        )
