"""What tests of documents need: the tokenizer of the embedding model, and documents made on the spot."""

import io
import os
import tempfile
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from atrium_local.catalogue import EMBEDDING_MODEL, model_named
from atrium_local.settings import LocalSettings
from atrium_local.weights import Store, ensure_model, link_model
from retrieval_service.parsing.frames import Chunks, Done, Progress, TextChunk
from retrieval_service.parsing.job import ParseJob, ParseLimits
from retrieval_service.parsing.process import parse

LIMITS = ParseLimits(
    memory_bytes_max=1024**3,
    cpu_s_max=60,
    pages_max=2000,
    text_bytes_max=64 * 1024**2,
    text_chars_max=20_000_000,
    unpacked_bytes_max=256 * 1024**2,
    chunks_max=50_000,
)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.fixture(scope="session")
def embedding_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedding model with its tokenizer, fetched once per machine and checked by its hash."""
    folder = tmp_path_factory.mktemp("embedding-model")
    link_model(
        ensure_model(
            Store.of(LocalSettings()), model_named(EMBEDDING_MODEL), report=lambda _done, _total: None
        ),
        folder,
    )
    return folder


class ReadDocument:
    """What a parsing process made of a document."""

    def __init__(self) -> None:
        self.chunks: list[TextChunk] = []
        self.progress: list[Progress] = []
        self.done: Done | None = None

    @property
    def texts(self) -> list[str]:
        return [chunk.text for chunk in self.chunks]


Read = Callable[..., Awaitable[ReadDocument]]


@pytest.fixture
def read(embedding_model_folder: Path) -> Read:
    """Read bytes or a file in a real parsing process: `await read(content, content_type, filename,
    **limits)`.
    """

    async def run(
        content: bytes | Path,
        content_type: str,
        filename: str = "document",
        *,
        wall_s: float = 60,
        overlap: int = 40,
        confined: bool = True,
        **limits: int,
    ) -> ReadDocument:
        found = ReadDocument()
        with content.open("rb") if isinstance(content, Path) else _file_of(content) as file:
            job = ParseJob(
                path=f"/dev/fd/{file.fileno()}",
                content_type=content_type,
                filename=filename,
                tokenizer_path=str(embedding_model_folder / "tokenizer.json"),
                chunk_tokens_max=200,
                chunk_overlap_tokens=overlap,
                limits=replace(LIMITS, **limits),
                confined=confined,
            )
            async with aclosing(parse(job, fd=file.fileno(), wall_s_max=wall_s)) as frames:
                async for frame in frames:
                    match frame:
                        case Progress():
                            found.progress.append(frame)
                        case Chunks():
                            found.chunks += frame.chunks
                        case Done():
                            found.done = frame
        return found

    return run


def _file_of(content: bytes) -> Any:
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the caller closes it
    file.write(content)
    file.seek(0)
    return file


class Documents:
    """Small real documents, and what is needed to make broken ones."""

    docx_type = DOCX

    @staticmethod
    def pdf(pages: list[str], *, extra: bytes = b"", shared_page: bool = False) -> bytes:
        """A PDF with a line of text on each page. `shared_page`: all pages are one object, so that thousands
        stay small.
        """
        objects: list[bytes] = [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
        kids: list[int] = []
        for text in pages[:1] if shared_page else pages:
            lines = b" ".join(b"(" + line.encode("latin-1") + b") Tj 0 -14 Td" for line in text.split("\n"))
            content = b"BT /F1 11 Tf 40 760 Td " + lines + b" ET"
            objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
            resources = b"<< /Font << /F1 3 0 R >> >>"
            objects.append(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources %s >>"
                % (len(objects), resources)
            )
            kids.append(len(objects))
        if shared_page:
            kids *= len(pages)
        objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
            len(kids),
            b" ".join(b"%d 0 R" % kid for kid in kids),
        )
        return Documents.pdf_of(objects, extra=extra)

    @staticmethod
    def pdf_of(objects: list[bytes], *, extra: bytes = b"") -> bytes:
        """A PDF of numbered objects, the first of which is its catalogue. `extra` joins the trailer."""
        out, places = io.BytesIO(), list[int]()
        out.write(b"%PDF-1.7\n")
        for number, body in enumerate(objects, start=1):
            places.append(out.tell())
            out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        table = out.tell()
        out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
        out.writelines(b"%010d 00000 n \n" % place for place in places)
        out.write(
            b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
            % (len(objects) + 1, extra, table)
        )
        return out.getvalue()

    @staticmethod
    def docx(body: str, *, prologue: str = "", **parts: bytes) -> bytes:
        """A DOCX of WordprocessingML; `parts` are further parts below word/, by their name without .xml."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
            package.writestr(
                "[Content_Types].xml",
                '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            )
            package.writestr(
                "word/document.xml", f"{prologue}<w:document {_WORD}><w:body>{body}</w:body></w:document>"
            )
            for name, content in parts.items():
                package.writestr(f"word/{name}.xml", content)
        return out.getvalue()


@pytest.fixture(scope="session")
def documents() -> type[Documents]:
    return Documents


@pytest.fixture(scope="session")
def children() -> Callable[[], set[int]]:
    """Process ids of parsing processes that this process started and that still run."""

    def running() -> set[int]:
        found: set[int] = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == os.getpid() and b"retrieval_service.parsing.worker" in command:
                found.add(int(entry.name))
        return found

    return running
