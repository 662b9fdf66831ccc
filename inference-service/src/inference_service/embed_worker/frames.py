"""Wire format between the service and its embed worker: length-prefixed JSON, vectors as raw little-endian
float32.
"""

import struct
from dataclasses import dataclass
from typing import Any, cast

import orjson

LENGTH = struct.Struct("<I")
FRAME_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """One batch of texts; `id` comes back with the answer. With a `query` the texts are scored against it
    instead of embedded.
    """

    id: int
    texts: list[str]
    query: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedReply:
    """The vectors of one batch, concatenated, or the error that stopped it. `tokens` counts what the model
    read, per text.

    Scores are vectors of one dimension; `tokens` then begins with those of the query.
    """

    id: int
    dimensions: int
    tokens: list[int]
    vectors: bytes
    error: str | None = None


def encode_request(request: EmbedRequest) -> bytes:
    payload = orjson.dumps({"id": request.id, "texts": request.texts, "query": request.query})
    return LENGTH.pack(len(payload)) + payload


def decode_request(payload: bytes) -> EmbedRequest:
    fields = cast("dict[str, Any]", orjson.loads(payload))
    return EmbedRequest(id=fields["id"], texts=fields["texts"], query=fields["query"])


def encode_reply(reply: EmbedReply) -> bytes:
    head = orjson.dumps(
        {"id": reply.id, "dimensions": reply.dimensions, "tokens": reply.tokens, "error": reply.error}
    )
    return (
        LENGTH.pack(LENGTH.size + len(head) + len(reply.vectors))
        + LENGTH.pack(len(head))
        + head
        + reply.vectors
    )


def decode_reply(payload: bytes) -> EmbedReply:
    (head_bytes,) = LENGTH.unpack_from(payload)
    head_end = LENGTH.size + head_bytes
    fields = cast("dict[str, Any]", orjson.loads(payload[LENGTH.size : head_end]))
    return EmbedReply(vectors=payload[head_end:], **fields)
