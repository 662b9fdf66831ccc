"""`python -m inference_service.embed_worker FOLDER THREADS`: answers frames on stdin until it is closed."""

import select
import sys
from pathlib import Path
from typing import BinaryIO

from inference_service.embed_worker.encoder import Encoder
from inference_service.embed_worker.frames import (
    FRAME_BYTES_MAX,
    LENGTH,
    EmbedReply,
    decode_request,
    encode_reply,
)
from inference_service.embed_worker.memory import give_back
from inference_service.embed_worker.scoring import Scorer, TokenCache

# A pause this long means that the work is over: what it left is given back then, and not between two batches
# that need it again.
_IDLE_S = 0.25


def _read_frame(stream: BinaryIO) -> bytes | None:
    """The next payload, or None once the service has closed the pipe."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size_bytes,) = LENGTH.unpack(head)
    if size_bytes > FRAME_BYTES_MAX:
        raise ValueError(f"a frame of {size_bytes} bytes is above the limit of {FRAME_BYTES_MAX}")
    return stream.read(size_bytes)


def _answer(encoder: Encoder, scorer: Scorer, payload: bytes) -> EmbedReply:
    request = decode_request(payload)
    try:
        if request.query is None:
            dimensions, (values, tokens) = encoder.dimensions, encoder.encode(request.texts)
        else:
            dimensions, (values, tokens) = 1, scorer.score(request.query, request.texts)
    except Exception as error:  # noqa: BLE001 - the edge of the process: one bad batch must not end it
        return EmbedReply(
            id=request.id, dimensions=0, tokens=[], vectors=b"", error=f"{type(error).__name__}: {error}"
        )
    return EmbedReply(
        id=request.id, dimensions=dimensions, tokens=tokens, vectors=values.astype("<f4").tobytes()
    )


def main(folder: str, threads: str) -> None:
    """Load the model, say so with an empty reply of id 0, then serve until end of file."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    encoder = Encoder(Path(folder), threads=int(threads))
    scorer = Scorer(encoder.encode_tokens, TokenCache())
    sink.write(encode_reply(EmbedReply(id=0, dimensions=encoder.dimensions, tokens=[], vectors=b"")))
    sink.flush()
    while (payload := _read_frame(source)) is not None:
        sink.write(encode_reply(_answer(encoder, scorer, payload)))
        sink.flush()
        ready, _, _ = select.select([source], [], [], _IDLE_S)
        if not ready:
            give_back()


if __name__ == "__main__":
    main(*sys.argv[1:3])
