"""Contents that are taken as files, and contents that are refused."""

import io
import zipfile

import pytest

TEXT = b"The heron waits at the weir.\nIt knows the hour of the fish.\n"


PDF = b"%PDF-1.4\n" + b"1 0 obj << >> endobj\n" * 20


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def docx(document: str = "word/document.xml") -> bytes:
    """An archive with the members of a Word document."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(document, "<w:document/>")
    return packed.getvalue()


TAKEN = [
    pytest.param(PDF, "a.pdf", "application/pdf", "application/pdf", id="pdf"),
    pytest.param(
        b"\xef\xbb\xbfjunk" + PDF, "a.pdf", "application/octet-stream", "application/pdf", id="pdf-after-junk"
    ),
    pytest.param(docx(), "a.docx", WORD, WORD, id="docx"),
    pytest.param(docx(), "letter", "application/octet-stream", WORD, id="docx-without-extension"),
    pytest.param(b"# Title\n", "a.md", "text/markdown", "text/markdown", id="markdown"),
    pytest.param(b"<!doctype html><p>x", "a.html", "text/html", "text/html", id="html"),
    pytest.param(b"<html><p>x", "page", "", "text/html", id="html-without-extension"),
    pytest.param(b"a,b\n1,2\n", "a.csv", "application/vnd.ms-excel", "text/csv", id="csv-as-excel-names-it"),
    pytest.param(b'{"a": 1}', "a.json", "application/json", "application/json", id="json"),
    pytest.param(b"const a = 1\n", "a.ts", "video/mp2t", "text/plain", id="typescript"),
    pytest.param("Grüße".encode("utf-16"), "a.txt", "text/plain", "text/plain", id="utf-16"),
    pytest.param("Grüße".encode("latin-1"), "a.txt", "text/plain", "text/plain", id="latin-1"),
]


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


REFUSED = [
    pytest.param(TEXT, "a.pdf", "application/pdf", "its content is text", id="text-named-pdf"),
    pytest.param(PDF, "a.txt", "text/plain", "its content is a PDF", id="pdf-named-text"),
    pytest.param(
        PDF, "a", "text/plain", "sent as text/plain but its content is a PDF", id="pdf-claimed-text"
    ),
    pytest.param(
        TEXT,
        "a.txt",
        "application/pdf",
        "sent as application/pdf but its content is text",
        id="text-claimed-pdf",
    ),
    pytest.param(TEXT, "a.png", "image/png", "its content is text", id="text-named-png"),
    pytest.param(PNG, "a.png", "image/png", "is image/png", id="png"),
    pytest.param(PNG, "a.txt", "text/plain", "is image/png", id="png-named-text"),
    pytest.param(b"MZ" + b"\x00" * 100, "a.txt", "text/plain", "the file is", id="program-named-text"),
    pytest.param(b"\x00" * 20_000, "a.txt", "text/plain", "is binary", id="zeros"),
    pytest.param(b"a" * 500_000 + b"\x00", "a.txt", "text/plain", "holds NUL bytes", id="nul-far-in"),
    pytest.param(docx(), "a.zip", "application/zip", "is an archive", id="zip"),
    pytest.param(docx("xl/workbook.xml"), "a.docx", WORD, "no Word document", id="zip-that-is-no-docx"),
    pytest.param(docx()[:-30], "a.docx", WORD, "cannot be opened", id="cut-docx"),
    pytest.param(b"PK\x03\x04" + b"\x00" * 2_000_000, "a.docx", WORD, "cannot be opened", id="docx-of-zeros"),
    pytest.param(PDF, "a.docx", WORD, "its content is a PDF", id="pdf-named-docx"),
    pytest.param(b"", "a.txt", "text/plain", "is empty", id="empty"),
]
