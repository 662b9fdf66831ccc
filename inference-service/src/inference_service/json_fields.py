"""Checks on the JSON fields of `/v1` requests, by hand: pydantic would cost more than the rest of the hot
path.
"""

from typing import Any, cast

import orjson
from shared.errors import BadRequest

Json = dict[str, Any]

_MODEL_NAME_MAX = 200
# orjson writes 254 levels; a request adds some around what is measured.
_ROOM_FOR_NESTING = 32


def refusal(message: str, param: str | None, code: str = "invalid_value") -> BadRequest:
    return BadRequest(message, code=code, extra={"param": param})


def parse_object(raw: bytes) -> Json:
    """The body as a JSON object. Raises: BadRequest."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise refusal(
            f"the body is not valid JSON: {error.msg} at character {error.pos}", None, "invalid_json"
        ) from None
    if not isinstance(parsed, dict):
        raise refusal("the body must be a JSON object", None, "invalid_json")
    return cast("Json", parsed)


def model_name(body: Json) -> str:
    """Raises: BadRequest when `model` is missing or not a name."""
    name = body.get("model")
    if name is None:
        raise refusal(
            "you must name a model; GET /v1/models lists them", "model", "missing_required_parameter"
        )
    if not isinstance(name, str) or not 0 < len(name) <= _MODEL_NAME_MAX:
        raise refusal(f"model must be a string of 1 to {_MODEL_NAME_MAX} characters", "model", "invalid_type")
    return name


def integer(body: Json, name: str, *, least: int, most: int) -> int | None:
    """The integer `name`, None when absent. Raises: BadRequest outside [least, most]."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusal(f"{name} must be an integer", name, "invalid_type")
    if not least <= value <= most:
        raise refusal(f"{name} must be between {least} and {most}, not {value}", name)
    return value


def boolean(body: Json, name: str, param: str | None = None) -> bool:
    """The flag `name`, False when absent. Raises: BadRequest."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise refusal(f"{param or name} must be true or false", param or name, "invalid_type")


def utf8_bytes(text: str) -> int:
    """Length in UTF-8; an upper bound of the tokens of any byte-level tokenizer."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def number(body: Json, name: str, *, least: float, most: float) -> None:
    """Raises: BadRequest when `name` is there and not a number in [least, most]."""
    value = body.get(name)
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise refusal(f"{name} must be a number", name, "invalid_type")
    if not least <= value <= most:
        raise refusal(f"{name} must be between {least} and {most}, not {value}", name)


def text(body: Json, name: str, *, most: int) -> str | None:
    """The string `name`, None when absent. Raises: BadRequest."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > most:
        raise refusal(f"{name} must be a string of at most {most} characters", name, "invalid_type")
    return value


def size_of(value: object, param: str) -> int:
    """Bytes of `value` as JSON. Raises: BadRequest when it is nested too deeply to be sent."""
    try:
        return len(orjson.dumps(_nested(value))) - 2 * _ROOM_FOR_NESTING
    except TypeError:
        raise refusal(f"{param} is nested too deeply; flatten it", param) from None


def _nested(value: object) -> object:
    for _ in range(_ROOM_FOR_NESTING):
        value = [value]
    return value


def only(body: Json, names: frozenset[str]) -> None:
    """Raises: BadRequest `unknown_parameter` for the first member that is not one of `names`; nulls count as
    absent.
    """
    for name, value in body.items():
        if name not in names and value is not None:
            raise refusal(
                f"{name[:200]} is not a parameter of this route; leave it out",
                name[:200],
                "unknown_parameter",
            )
