"""Parses an embeddings request: texts only, within bounds."""

from dataclasses import dataclass
from typing import Literal, cast

from inference_service.json_fields import Json, integer, model_name, only, parse_object, refusal, utf8_bytes

# `user` is taken and not sent on.
_MEMBERS = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
_DIMENSIONS_MAX = 16_384
_TEXT_BYTES_MAX = 1024 * 1024
# Begin and end markers of each text.
_TOKENS_PER_TEXT = 8


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """A checked request; the bound counts every token the texts can become."""

    model: str
    texts: list[str]
    encoding: Literal["float", "base64"]
    dimensions: int | None
    input_tokens_bound: int


def parse_embeddings(raw: bytes, *, inputs_max: int) -> EmbeddingsRequest:
    """Raises: BadRequest naming the parameter."""
    body = parse_object(raw)
    only(body, _MEMBERS)
    model = model_name(body)
    texts = _texts(body, inputs_max)
    return EmbeddingsRequest(
        model=model,
        texts=texts,
        encoding=_encoding(body),
        dimensions=integer(body, "dimensions", least=1, most=_DIMENSIONS_MAX),
        input_tokens_bound=sum(map(utf8_bytes, texts)) + _TOKENS_PER_TEXT * len(texts),
    )


def _encoding(body: Json) -> Literal["float", "base64"]:
    value = body.get("encoding_format")
    if value is None or value == "float":
        return "float"
    if value == "base64":
        return "base64"
    raise refusal("encoding_format must be float or base64", "encoding_format")


def _texts(body: Json, inputs_max: int) -> list[str]:
    given = body.get("input")
    if given is None:
        raise refusal(
            "input is missing; send a string or a list of strings", "input", "missing_required_parameter"
        )
    entries = cast("list[object]", given) if isinstance(given, list) else [given]
    if not 1 <= len(entries) <= inputs_max:
        raise refusal(f"input must hold 1 to {inputs_max} texts, not {len(entries)}", "input")
    return [_text(entry) for entry in entries]


def _text(entry: object) -> str:
    if isinstance(entry, int | list):
        raise refusal(
            "input must be text; token ids are not supported, because each model has its own",
            "input",
            "invalid_type",
        )
    if not isinstance(entry, str):
        raise refusal("input must be a string or a list of strings", "input", "invalid_type")
    if not entry:
        raise refusal("input holds an empty text; leave it out", "input")
    if utf8_bytes(entry) > _TEXT_BYTES_MAX:
        raise refusal(f"input holds a text above {_TEXT_BYTES_MAX} bytes; split it", "input")
    return entry
