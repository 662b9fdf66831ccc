"""Which reader a document needs."""

from typing import Literal

from retrieval_service.parsing.errors import DocumentRefused

Format = Literal["pdf", "docx", "html", "markdown", "plain"]

_BY_TYPE: dict[str, Format] = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
}
_BY_SUFFIX: dict[str, Format] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
_TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/ld+json",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/javascript",
        "application/x-sh",
        "application/sql",
    }
)


def format_of(content_type: str, filename: str) -> Format:
    """By the type that the upload found in the content; the name decides only between kinds of text.

    Raises:
        DocumentRefused: no text can be had from this type.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if (known := _BY_TYPE.get(kind)) is not None:
        return known
    if kind.startswith("text/") or kind in _TEXT_TYPES:
        dot = filename.rfind(".")
        return _BY_SUFFIX.get(filename[dot:].lower(), "plain") if dot >= 0 else "plain"
    raise DocumentRefused(
        "unsupported_type",
        "no text can be read from this type of file; upload PDF, DOCX, HTML, Markdown or plain text",
    )
