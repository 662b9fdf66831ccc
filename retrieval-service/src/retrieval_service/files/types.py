"""What a file is by its content, and whether that is what it says it is."""

import io
import zipfile
from dataclasses import dataclass
from typing import Literal

import filetype

from retrieval_service.files.errors import TypeRefused
from retrieval_service.files.names import extension_of

Family = Literal["pdf", "docx", "text"]

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ZIP_TAIL_BYTES = 1024 * 1024
_HEAD_BYTES = 8192
_TEXT_TYPES = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "text/html",
    "csv": "text/csv",
    "json": "application/json",
}
_IMAGES = {"png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "ico", "heic", "avif"}
_SOUND_AND_FILM = {"mp3", "wav", "ogg", "flac", "m4a", "mp4", "mov", "avi", "mkv", "webm"}
_ARCHIVES = {"zip", "gz", "bz2", "xz", "zst", "tar", "7z", "rar", "jar", "iso", "dmg"}
_PROGRAMS_AND_DATA = {
    "exe",
    "dll",
    "so",
    "dylib",
    "bin",
    "ttf",
    "otf",
    "woff",
    "woff2",
    "sqlite",
    "db",
    "parquet",
    "pkl",
}
_OFFICE = {"doc", "dot", "xls", "xlsx", "xlsb", "ppt", "pptx", "odt", "ods", "odp", "rtf", "epub", "mobi"}
_NOT_TEXT = frozenset(_IMAGES | _SOUND_AND_FILM | _ARCHIVES | _PROGRAMS_AND_DATA | _OFFICE)
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\x0b\x0c\r\x08\x1b")
_ALLOWED = "PDF, DOCX, Markdown, HTML, CSV, JSON, source code and other plain text can be read"
_SHOWN: dict[Family, str] = {"pdf": "a PDF", "docx": "a Word document", "text": "text"}


@dataclass(frozen=True, slots=True)
class FileType:
    """`docx` still has to be proved by `check_docx`, once the whole file is there."""

    family: Family
    content_type: str


class TypeCheck:
    """Looks at the bytes of one file as they come by."""

    def __init__(self, filename: str, claimed: str | None) -> None:
        self._extension = extension_of(filename)
        self._claimed = (claimed or "").partition(";")[0].strip().lower()
        self._head = b""
        self._found: FileType | None = None
        self._wide = False

    def feed(self, chunk: bytes) -> None:
        """Raises: TypeRefused as soon as the content shows it."""
        if self._found is None:
            self._head += chunk
            if len(self._head) >= _HEAD_BYTES:
                self._decide()
        elif self._found.family == "text" and not self._wide and b"\x00" in chunk:
            raise _unreadable("holds NUL bytes, so it is not text")

    def finish(self) -> FileType:
        """Raises: TypeRefused."""
        return self._found or self._decide()

    def _decide(self) -> FileType:
        head, self._head = self._head, b""
        if not head:
            raise TypeRefused("the file is empty; upload one with content", code="file_empty")
        self._wide = head.startswith(_BYTE_ORDER_MARKS)
        family = _family(head, extension=self._extension)
        self._require_agreement(family)
        self._found = FileType(family, self._content_type(family, head))
        return self._found

    def _require_agreement(self, family: Family) -> None:
        named = _family_of_extension(self._extension)
        if named is not None and named != family:
            raise TypeRefused(
                f"the file is named .{self._extension} but its content is {_SHOWN[family]}; give it its "
                "right name"
            )
        claimed = _family_of_claim(self._claimed, extension=self._extension)
        if claimed is not None and claimed != family:
            raise TypeRefused(
                f"the file is sent as {self._claimed[:80]} but its content is {_SHOWN[family]}; send its "
                "right content type"
            )

    def _content_type(self, family: Family, head: bytes) -> str:
        match family:
            case "pdf":
                return PDF
            case "docx":
                return DOCX
            case "text":
                return _TEXT_TYPES.get(self._extension) or _text_type(
                    head, has_extension=bool(self._extension), claimed=self._claimed
                )


def _family(head: bytes, *, extension: str) -> Family:
    if head.startswith(b"%PDF-") or (extension == "pdf" and b"%PDF-" in head[:1024]):
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        if extension in ("docx", ""):
            return "docx"
        raise _unreadable("is an archive; unpack it and upload its files")
    if head.startswith(_BYTE_ORDER_MARKS):
        return "text"
    if (guess := _guess(head)) is not None:
        raise _unreadable(f"is {guess}")
    if any(byte in _CONTROLS for byte in set(head)):
        raise _unreadable("is binary")
    return "text"


def _guess(head: bytes) -> str | None:
    return filetype.guess_mime(head)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - an untyped library


def _family_of_extension(extension: str) -> Family | Literal["other"] | None:
    """None: the name says nothing, or the content was judged by it already."""
    if extension in ("pdf", "docx"):
        return "pdf" if extension == "pdf" else "docx"
    if extension in _TEXT_TYPES or extension == "txt":
        return "text"
    return "other" if extension in _NOT_TEXT else None


def _family_of_claim(claimed: str, *, extension: str) -> Family | Literal["other"] | None:
    if claimed in (PDF, DOCX):
        return "pdf" if claimed == PDF else "docx"
    main = claimed.partition("/")[0]
    if main in ("image", "audio", "video", "font"):
        # TypeScript is a video by its name alone.
        return None if extension in ("ts", "mts") else "other"
    return "text" if main == "text" else None


def _text_type(head: bytes, *, has_extension: bool, claimed: str) -> str:
    if not has_extension:
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower().startswith((b"<!doctype html", b"<html")):
            return "text/html"
        if claimed == "text/markdown":
            return claimed
    return "text/plain"


def _unreadable(why: str) -> TypeRefused:
    return TypeRefused(f"the file {why}; {_ALLOWED}")


def check_docx(tail: bytes) -> None:
    """`tail`: up to ZIP_TAIL_BYTES of the end of the file, where an archive keeps its table of contents.

    Raises:
        TypeRefused: an archive that is no Word document.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(tail)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError):
        raise TypeRefused(
            "the file begins as a Word document but cannot be opened; save it again and upload that"
        ) from None
    if not {"[Content_Types].xml", "word/document.xml"} <= names:
        raise _unreadable("is an archive but no Word document; unpack it and upload its files")
