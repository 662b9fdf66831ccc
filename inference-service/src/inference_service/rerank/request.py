"""Parses a rerank request, as Jina and Cohere shape it: texts only, within bounds."""

from dataclasses import dataclass
from typing import cast

from inference_service.json_fields import (
    Json,
    boolean,
    integer,
    model_name,
    only,
    parse_object,
    refusal,
    utf8_bytes,
)

DOCUMENTS_MAX = 100
_MEMBERS = frozenset({"model", "query", "documents", "top_n", "return_documents"})
_QUERY_BYTES_MAX = 64 * 1024
_DOCUMENT_BYTES_MAX = 256 * 1024
# Begin and end markers of each text.
_TOKENS_PER_TEXT = 8


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """A checked request; the bound counts every token the texts can become. `top_n` None: all."""

    model: str
    query: str
    documents: list[str]
    top_n: int | None
    return_documents: bool
    input_tokens_bound: int


def parse_rerank(raw: bytes) -> RerankRequest:
    """Raises: BadRequest naming the parameter."""
    body = parse_object(raw)
    only(body, _MEMBERS)
    model = model_name(body)
    query = _text(body.get("query"), "query", _QUERY_BYTES_MAX)
    documents = _documents(body)
    return RerankRequest(
        model=model,
        query=query,
        documents=documents,
        top_n=integer(body, "top_n", least=1, most=DOCUMENTS_MAX),
        return_documents=boolean(body, "return_documents"),
        input_tokens_bound=sum(map(utf8_bytes, [query, *documents]))
        + _TOKENS_PER_TEXT * (1 + len(documents)),
    )


def _documents(body: Json) -> list[str]:
    given = body.get("documents")
    if not isinstance(given, list):
        raise refusal(
            "documents is missing; send a list of strings", "documents", "missing_required_parameter"
        )
    entries = cast("list[object]", given)
    if not 1 <= len(entries) <= DOCUMENTS_MAX:
        raise refusal(f"documents must hold 1 to {DOCUMENTS_MAX} texts, not {len(entries)}", "documents")
    return [_text(_unwrapped(entry), "documents", _DOCUMENT_BYTES_MAX) for entry in entries]


def _unwrapped(entry: object) -> object:
    return cast("Json", entry).get("text") if isinstance(entry, dict) else entry


def _text(value: object, param: str, bytes_max: int) -> str:
    if not isinstance(value, str):
        raise refusal(
            f"{param} must be text", param, "missing_required_parameter" if value is None else "invalid_type"
        )
    if not value.strip():
        raise refusal(f"{param} holds an empty text", param)
    if utf8_bytes(value) > bytes_max:
        raise refusal(f"{param} holds a text above {bytes_max} bytes; split it", param)
    return value
