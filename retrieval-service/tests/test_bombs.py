"""Documents made to exhaust whoever reads them end as a clear refusal, within their limits, and cost the
service itself nothing.
"""

import gc
import io
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from retrieval_service.parsing.errors import DocumentRefused
from shared.clock import monotonic_s

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SERVICE_GROWS_BYTES_MAX = 40 * 1024 * 1024
_ENTITIES = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
_BILLION_LAUGHS = f'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY e0 "lol">{_ENTITIES}]>'


@pytest.fixture(autouse=True)
def the_service_stays_small() -> Any:
    """No document may make the process that hands it over grow."""
    before = _resident_bytes()
    yield
    gc.collect()  # a refusal and its frames, which hold the document, are a circle
    assert _resident_bytes() - before < _SERVICE_GROWS_BYTES_MAX


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def refused(
    read: Any, children: Callable[[], set[int]], *arguments: Any, **options: Any
) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        await read(*arguments, **options)
    assert len(caught.value.detail) > 30
    assert not children()
    return caught.value


def _package(write: Callable[[zipfile.ZipFile], object]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        write(package)
    return out.getvalue()


async def test_a_zip_bomb_is_refused_by_what_it_declares(read: Any, children: Any, documents: Any) -> None:
    zeros = b"\x00" * 20_000_000
    bomb = _package(
        lambda package: [package.writestr(name, zeros) for name in ("word/document.xml", "word/media/a.png")]
    )
    assert len(bomb) < 100_000
    assert (await refused(read, children, bomb, documents.docx_type)).code == "packed_too_tightly"


async def test_a_zip_bomb_that_lies_is_refused_by_what_comes_out(
    read: Any, children: Any, documents: Any
) -> None:
    body = b"<w:p><w:r><w:t>word</w:t></w:r></w:p>" * 60_000
    document = documents.docx(body.decode())
    size = len(body) + 200
    honest = next(
        entry.file_size
        for entry in zipfile.ZipFile(io.BytesIO(document)).infolist()
        if entry.filename == "word/document.xml"
    )
    assert honest > size - 200
    lying = document.replace(honest.to_bytes(4, "little"), (1_000_000).to_bytes(4, "little"))
    assert lying != document
    refusal = await refused(read, children, lying, documents.docx_type, unpacked_bytes_max=1_500_000)
    assert refusal.code == "broken"
    assert (
        await refused(read, children, document, documents.docx_type, unpacked_bytes_max=1_500_000)
    ).code == "packed_too_tightly"


async def test_a_zip_of_very_many_entries_is_refused(read: Any, children: Any, documents: Any) -> None:
    bomb = _package(lambda package: [package.writestr(f"word/{number}.xml", b"") for number in range(6_000)])
    assert (await refused(read, children, bomb, documents.docx_type)).code == "packed_too_tightly"


async def test_entities_in_a_docx_are_refused_unexpanded(read: Any, children: Any, documents: Any) -> None:
    bomb = documents.docx("<w:p><w:r><w:t>&e9;</w:t></w:r></w:p>", prologue=_BILLION_LAUGHS)
    assert (await refused(read, children, bomb, documents.docx_type)).code == "unsafe_xml"


async def test_a_docx_reads_no_file_of_the_machine(
    read: Any, children: Any, documents: Any, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret word")
    prologue = f'<!DOCTYPE w [<!ENTITY x SYSTEM "file://{secret}">]>'
    bomb = documents.docx("<w:p><w:r><w:t>&x; and more</w:t></w:r></w:p>", prologue=prologue)
    assert (await refused(read, children, bomb, documents.docx_type)).code == "unsafe_xml"


async def test_entities_in_html_stay_what_they_are(read: Any) -> None:
    found = await read(f"{_BILLION_LAUGHS}<html><body><p>&e9; stays</p></body></html>".encode(), "text/html")
    assert found.done.chars < 2_000
    assert "stays" in found.texts[-1]


async def test_html_nested_too_deeply_is_refused_rather_than_cut(read: Any, children: Any) -> None:
    deep = b"<div>" * 100_000 + b"hello" + b"</div>" * 100_000
    assert (await refused(read, children, deep, "text/html")).code == "too_deep"


async def test_a_docx_nested_too_deeply_is_refused(read: Any, children: Any, documents: Any) -> None:
    deep = documents.docx("<w:tbl><w:tr><w:tc>" * 5_000 + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * 5_000)
    assert (await refused(read, children, deep, documents.docx_type)).code == "broken"


async def test_a_pdf_of_5000_pages_is_refused_and_one_at_the_limit_is_read(
    read: Any, children: Any, documents: Any
) -> None:
    refusal = await refused(read, children, documents.pdf(["x"] * 5_000, shared_page=True), "application/pdf")
    assert refusal.code == "too_many_pages"
    assert "5,000" in refusal.detail
    assert "2,000" in refusal.detail
    found = await read(documents.pdf(["A page."] * 300, shared_page=True), "application/pdf", pages_max=300)
    assert found.chunks[-1].page == found.done.pages == 300


def _endless_pdf(documents: Any) -> bytes:
    """Each form draws the next one ten times: 10^20 drawings for a reader that follows them all."""
    depth = 20
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << /XObject << /X 5 "
        b"0 R >> >> >>",
        b"<< /Length 5 >>\nstream\n/X Do\nendstream",
    ]
    draw = b"/X Do " * 10
    for level in range(depth):
        following = b"/Resources << /XObject << /X %d 0 R >> >>" % (6 + level)
        content = draw if level < depth - 1 else b"BT ET"
        head = b"<< /Type /XObject /Subtype /Form /BBox [0 0 99 99] %s /Length %d >>" % (
            following,
            len(content),
        )
        objects.append(head + b"\nstream\n" + content + b"\nendstream")
    objects.append(b"<< >>")
    return documents.pdf_of(objects)


async def test_a_pdf_that_keeps_its_reader_busy_is_stopped_by_the_clock(
    read: Any, children: Any, documents: Any
) -> None:
    started_s = monotonic_s()
    refusal = await refused(read, children, _endless_pdf(documents), "application/pdf", wall_s=2)
    assert refusal.code == "too_slow"
    assert monotonic_s() - started_s < 20


async def test_a_pdf_that_keeps_its_reader_busy_is_stopped_by_its_share_of_the_processor(
    read: Any, children: Any, documents: Any
) -> None:
    refusal = await refused(
        read, children, _endless_pdf(documents), "application/pdf", cpu_s_max=1, wall_s=60
    )
    assert refusal.code == "too_slow"


async def test_two_gigabytes_of_zeros_are_refused_at_once(read: Any, children: Any, tmp_path: Path) -> None:
    zeros = tmp_path / "zeros.txt"
    with zeros.open("wb") as file:
        file.truncate(2 * 1024**3)
    started_s = monotonic_s()
    assert (await refused(read, children, zeros, "text/plain")).code == "not_text"
    assert (await refused(read, children, zeros, "application/pdf")).code == "broken"
    assert (await refused(read, children, zeros, "text/html")).code == "not_text"
    assert monotonic_s() - started_s < 30


async def test_reading_that_needs_too_much_memory_is_refused(read: Any, children: Any) -> None:
    table = b"<table>" + b"<tr><td>a<td>b" * 1_500_000
    refusal = await refused(read, children, table, "text/html", memory_bytes_max=300 * 1024**2)
    assert refusal.code == "too_complex"


async def test_one_endless_word_becomes_bounded_passages(read: Any) -> None:
    found = await read(b"a" * 500_000, "text/plain")
    assert "".join(found.texts).count("a") >= 500_000
    assert max(len(text) for text in found.texts) <= 2_000
