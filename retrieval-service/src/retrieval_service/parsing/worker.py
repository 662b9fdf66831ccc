"""`python -m retrieval_service.parsing.worker`: reads one job from standard input, answers in frames, ends.

Everything that reads what strangers wrote runs here, in the jail of `shared.jail`, put on before the first
byte of it: no file but the document and the Python installation can be opened, no process started, nothing
connected to.
"""

import importlib
import importlib.util
import logging
import os
import resource
import sys
import threading
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from shared.jail import confinement
from shared.jail.privileges import Rlimits

from retrieval_service.parsing import errors, frames
from retrieval_service.parsing.blocks import DocumentText
from retrieval_service.parsing.errors import DocumentRefused
from retrieval_service.parsing.formats import format_of
from retrieval_service.parsing.job import ParseJob, ParseLimits
from retrieval_service.parsing.reading import DocumentSource, FormatReader
from retrieval_service.parsing.splitter import CountTokens, Splitter
from retrieval_service.parsing.tokens import token_counter

_PACKAGE = "retrieval_service"
_NICE = 10
_FILES_MAX = 64
_FILE_BYTES_MAX = 4 * 1024 * 1024  # compiled modules of the libraries; no document needs to write
_TOO_COMPLEX = DocumentRefused(
    "too_complex", "this file needs more memory than one file may use; split it into several files"
)


def main() -> None:
    """Whatever happens, the last frame says how it ended; without one the service concludes that the process
    died.
    """
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    (size_bytes,) = frames.LENGTH.unpack(source.read(frames.LENGTH.size))
    job = ParseJob.decode(source.read(size_bytes))
    try:
        last = _run(job, source, sink)
    except DocumentRefused as refusal:
        last = frames.Refused(refusal.code, refusal.detail)
    except MemoryError:
        last = frames.Refused(_TOO_COMPLEX.code, _TOO_COMPLEX.detail, "MemoryError")
    except Exception as error:  # noqa: BLE001 - the edge of the process: whatever a library makes of a broken document
        refusal = errors.broken("file")
        last = frames.Refused(refusal.code, refusal.detail, type(error).__name__)
    _send(sink, last)
    os._exit(0)  # libraries would free page by page what the system takes back at once


def _run(job: ParseJob, source: BinaryIO, sink: BinaryIO) -> frames.Frame:
    """Load what reading takes, shut this process in, read. Raises: DocumentRefused, and whatever a library
    makes of the document.
    """
    reader = cast(
        "FormatReader",
        importlib.import_module(f"{_PACKAGE}.parsing.adapters.{format_of(job.content_type, job.filename)}"),
    )
    count = token_counter(Path(job.tokenizer_path))
    try:
        shut_in(job)
    except (OSError, RuntimeError, ValueError) as error:
        refusal = errors.not_confined()
        return frames.Refused(refusal.code, refusal.detail, str(error))
    logging.disable()  # nobody reads what libraries say about a document
    threading.Thread(target=_end_with_the_service, args=(source,), daemon=True).start()
    return _answer(job, reader, count, sink)


def shut_in(job: ParseJob) -> None:
    """Put the restrictions on this process, before the first byte of the document. Raises: OSError,
    RuntimeError, ValueError.
    """
    if not job.confined:
        _limit(job.limits)
        return
    if sys.platform != "linux":
        raise RuntimeError(
            "files are read on Linux only: what shuts the reader in is made of Landlock and seccomp"
        )
    limits = Rlimits(job.limits.memory_bytes_max, job.limits.cpu_s_max, 0, _FILES_MAX, None)
    own = importlib.util.find_spec(_PACKAGE)
    sources = [] if own is None or own.origin is None else [Path(own.origin).parent]
    confinement.confine_reader(limits, document=int(Path(job.path).name), readable=sources)


def _limit(limits: ParseLimits) -> None:
    """The system ends what takes more."""
    for kind, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_s_max),
        (resource.RLIMIT_FSIZE, _FILE_BYTES_MAX),
        (resource.RLIMIT_NOFILE, _FILES_MAX),
        (resource.RLIMIT_AS, limits.memory_bytes_max),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        with suppress(OSError, ValueError):  # macOS has no limit on address space
            resource.setrlimit(kind, (allowed, allowed))
    with suppress(OSError):
        os.nice(_NICE)


def _end_with_the_service(source: BinaryIO) -> None:
    """The service never closes the pipe while it waits: its end means that nobody reads the answer."""
    source.read(1)
    os._exit(1)


def _answer(job: ParseJob, reader: FormatReader, count: CountTokens, sink: BinaryIO) -> frames.Done:
    document, pages = _read(job, reader, sink)
    text = document.text
    splitter = Splitter(count, tokens_max=job.chunk_tokens_max, overlap_tokens=job.chunk_overlap_tokens)
    chunks = (
        frames.TextChunk(
            text[piece.start : piece.end], piece.page, piece.heading, piece.start, piece.end, piece.tokens
        )
        for piece in splitter.split(text, document.sections)
    )
    total = 0
    while batch := tuple(islice(chunks, frames.CHUNKS_PER_FRAME_MAX)):
        total += len(batch)
        if total > job.limits.chunks_max:
            raise errors.too_many_chunks(job.limits.chunks_max)
        _send(sink, frames.Chunks(batch))
    if total == 0:
        raise errors.empty()
    return frames.Done(pages, len(text))


def _read(job: ParseJob, reader: FormatReader, sink: BinaryIO) -> tuple[DocumentText, int | None]:
    """The document's text and, if it has such, the number of its pages."""
    document = DocumentText(job.limits.text_chars_max)
    pages: int | None = None

    def report(done: int, total: int) -> None:
        nonlocal pages
        pages = total
        _send(sink, frames.Progress(done, total))

    for block in reader.read(DocumentSource(Path(job.path), job.limits, report)):
        document.add(block)
    return document, pages


def _send(sink: BinaryIO, frame: frames.Frame) -> None:
    try:
        sink.write(frames.encode(frame))
        sink.flush()
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    main()
