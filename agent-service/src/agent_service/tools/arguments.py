"""What a model wrote as arguments of a tool, checked before the tool sees it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn, Protocol, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from agent_service.tools.port import Tool

ARGUMENTS_CHARS_MAX = 262_144
ARGUMENTS_DEPTH_MAX = 32
_LOOKED_AT_MAX = 20
_MATCHED_CHARS_MAX = 256
_PROBLEMS_MAX = 3
_PROBLEM_CHARS_MAX = 200
_EXPECTED_CHARS_MAX = 400


class _Validator(Protocol):
    """What is used of jsonschema's validators, whose own types are unfinished."""

    def iter_errors(self, instance: object) -> Iterator[ValidationError]: ...


def _pattern(
    _validator: object, pattern: str, instance: object, _schema: object
) -> Iterator[ValidationError]:
    """`pattern` for short texts only: matching may take the cube of the length. Longer ones are the tool's
    own business.
    """
    if isinstance(instance, str) and len(instance) <= _MATCHED_CHARS_MAX and not re.search(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_extend = cast("Callable[..., Callable[[dict[str, Any]], _Validator]]", vars(validators)["extend"])
_Draft202012 = _extend(Draft202012Validator, {"pattern": _pattern})


class ArgumentsInvalid(Exception):
    """The arguments cannot be used. The text is for the model: bounded, and it says what to send instead."""


def check_arguments(tool: Tool, raw_json: str) -> Mapping[str, Any]:
    """The arguments of `tool` as its schema wants them; nothing at all counts as no arguments. Raises:
    ArgumentsInvalid.
    """
    arguments = _parse(tool, raw_json)
    found = sorted(
        islice(_Draft202012(dict(tool.parameters)).iter_errors(arguments), _LOOKED_AT_MAX), key=_importance
    )
    if found:
        problems = "; ".join(_describe(error) for error in found[:_PROBLEMS_MAX])
        raise ArgumentsInvalid(f"The arguments of {tool.name} are not valid: {problems}. {_expected(tool)}")
    return arguments


def _parse(tool: Tool, raw_json: str) -> dict[str, Any]:
    if len(raw_json) > ARGUMENTS_CHARS_MAX:
        raise ArgumentsInvalid(
            f"The arguments of {tool.name} are longer than {ARGUMENTS_CHARS_MAX} characters. Send less."
        )
    if not raw_json.strip():
        return {}
    try:
        value = _loads(raw_json)
        if isinstance(value, str):  # small models like to quote the object once more
            value = _loads(value)
    except (ValueError, RecursionError):
        raise ArgumentsInvalid(
            f"The arguments of {tool.name} are not valid JSON. {_expected(tool)}"
        ) from None
    if not isinstance(value, dict):
        raise ArgumentsInvalid(f"The arguments of {tool.name} are not a JSON object. {_expected(tool)}")
    arguments = cast("dict[str, Any]", value)
    _check_content(tool, arguments)
    return arguments


def _loads(text: str) -> object:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_content(tool: Tool, value: object) -> None:
    """What no store and no tool could hold is refused here: NUL, half a surrogate pair, and nesting without
    end.
    """
    level: list[object] = [value]
    for _ in range(ARGUMENTS_DEPTH_MAX):
        texts = [item for item in level if isinstance(item, str)]
        inside: list[object] = []
        for item in level:
            if isinstance(item, dict):
                members = cast("dict[str, object]", item)
                inside += members.values()
                texts += members.keys()
            elif isinstance(item, list):
                inside += cast("list[object]", item)
        if any("\x00" in text or not _is_encodable(text) for text in texts):
            raise ArgumentsInvalid(
                f"The arguments of {tool.name} contain a character that is not text. Leave it out."
            )
        if not inside:
            return
        level = inside
    raise ArgumentsInvalid(
        f"The arguments of {tool.name} are nested deeper than {ARGUMENTS_DEPTH_MAX}. Send something flatter."
    )


def _is_encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _importance(error: ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), ".".join(map(str, error.absolute_path))


def _describe(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    text = " ".join(error.message.split())
    if len(text) > _PROBLEM_CHARS_MAX:
        # The message begins with the value that was sent, its end says what is wrong with it.
        text = f"{text[:60]}...{text[-(_PROBLEM_CHARS_MAX - 63) :]}"
    return f"{where[:80]}: {text}" if where else text


def _expected(tool: Tool) -> str:
    """One line that shows the shape of the arguments."""
    properties = cast("Mapping[str, Any]", tool.parameters.get("properties", {}))
    required = cast("list[str]", tool.parameters.get("required", []))
    if not properties:
        return "It takes no arguments: send {}."
    parts = [
        f'"{name}": {_type(part)}{"" if name in required else " (optional)"}'
        for name, part in properties.items()
    ]
    return f"Send a JSON object: {{{', '.join(parts)}}}"[:_EXPECTED_CHARS_MAX] + "."


def _type(part: object) -> str:
    kind = cast("Mapping[str, Any]", part).get("type", "value") if isinstance(part, Mapping) else "value"
    return " or ".join(map(str, cast("list[Any]", kind))) if isinstance(kind, list) else str(kind)
