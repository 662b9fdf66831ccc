"""Reading documents in a confined process: what comes out of each format, and what is refused in which words."""

import asyncio
import codecs
import io
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import docx
import pytest
from retrieval_service.parsing import frames
from retrieval_service.parsing.errors import DocumentRefused
from retrieval_service.parsing.job import ParseJob, ParseLimits
from retrieval_service.parsing.process import parse

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(read: Any, *arguments: Any, **options: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        await read(*arguments, **options)
    return caught.value


async def test_a_pdf_keeps_its_page_numbers_and_says_how_far_it_is(read: Any, documents: Any) -> None:
    found = await read(documents.pdf(["The first page.", "The second page.", "The third page."]), "application/pdf")
    assert [(chunk.page, chunk.text) for chunk in found.chunks] == [(1, "The first page."), (2, "The second page."), (3, "The third page.")]
    assert [(step.done, step.total) for step in found.progress] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert found.done.pages == 3


async def test_the_outline_of_a_pdf_gives_headings(read: Any, documents: Any) -> None:
    pdf = documents.pdf(["Opening words.", "Words on means.", "More on means."])
    # Catalogue, pages, font, then content and page of each page: 5, 7, 9. The outline follows.
    objects = [part.split(b"\nendobj")[0] for part in pdf.split(b" 0 obj\n")[1:]]
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R /Outlines 10 0 R >>"
    objects += [
        b"<< /First 11 0 R /Last 11 0 R >>",
        b"<< /Title (Report) /Parent 10 0 R /Dest [5 0 R /Fit] /First 12 0 R /Last 12 0 R >>",
        b"<< /Title (Means) /Parent 11 0 R /Dest [7 0 R /Fit] >>",
    ]
    found = await read(documents.pdf_of(objects), "application/pdf")
    assert [chunk.heading for chunk in found.chunks] == ["Report", "Report › Means", "Report › Means"]


async def test_a_docx_keeps_headings_tables_and_footnotes(read: Any, documents: Any) -> None:
    document = docx.Document()
    document.add_heading("Annual report", 0)
    document.add_heading("Results", 1)
    document.add_paragraph("Sales rose.\tCosts fell.")
    table = document.add_table(2, 2)
    for row, cells in enumerate([("Year", "Sales"), ("2025", "17")]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    out = io.BytesIO()
    document.save(out)
    found = await read(out.getvalue(), documents.docx_type)
    assert found.texts == ["Annual report\n\nResults\n\nSales rose.\tCosts fell.\n\nYear | Sales\n2025 | 17"]
    assert found.chunks[0].heading == "Annual report › Results"
    note = f'<w:footnotes xmlns:w="{_W}"><w:footnote><w:p><w:r><w:t>See page 9.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    with_notes = documents.docx("<w:p><w:r><w:t>Body.</w:t></w:r></w:p>", footnotes=note.encode())
    assert (await read(with_notes, documents.docx_type)).texts == ["Body.\n\nSee page 9."]


_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


async def test_text_that_was_deleted_in_a_docx_stays_deleted(read: Any, documents: Any) -> None:
    body = "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
    assert (await read(documents.docx(body), documents.docx_type)).texts == ["kept"]


async def test_html_is_what_a_reader_of_the_page_sees(read: Any) -> None:
    page = b"""<html><head><title>not this</title><style>nor this</style></head><body><h1>Top <b>one</b></h1>
    <p>Hello   <i>wor</i>ld<br>second line<ul><li>a<li>b</ul><table><tr><td>1<td>2<tr><td>3<td>4</table>
    <script>alert(1)</script><!-- nor this --><pre>  keep
    this</pre><h2>Sub</h2>tail &amp; caf&eacute;</body></html>"""
    found = await read(page, "text/html", "page.html")
    assert found.texts == ["Top one\n\nHello world\nsecond line\n\na\nb\n\n1 | 2\n3 | 4\n\n  keep\n    this\n\nSub\n\ntail & café"]


async def test_markdown_keeps_its_source_and_headings_outside_code(read: Any) -> None:
    long = " ".join(["word"] * 150)
    source = f"# Guide\n\nIntro.\n\n## Use *it*\n\n{long}\n\n```sh\n# not a heading\n```\n\nOther\n=====\n\n{long} end"
    found = await read(source.encode(), "text/markdown", "guide.md")
    assert [chunk.heading for chunk in found.chunks] == ["Guide › Use it", "Other"]
    assert "# not a heading" in found.texts[0]
    assert found.texts[1].startswith("Other\n=====")


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        pytest.param("naïve café – 東京".encode(), "text/plain", id="utf-8"),
        pytest.param(codecs.BOM_UTF8 + "naïve café – 東京".encode(), "text/plain", id="utf-8-bom"),
        pytest.param("naïve café – 東京".encode("utf-16"), "text/plain", id="utf-16"),
        pytest.param('<meta charset="shift_jis">naive cafe - 東京'.encode("shift_jis"), "text/html", id="declared"),
    ],
)
async def test_encodings_are_recognised(read: Any, raw: bytes, content_type: str) -> None:
    assert (await read(raw, content_type)).texts[0].endswith("東京")


async def test_what_is_no_utf_8_is_read_as_western_text(read: Any) -> None:
    assert (await read("Größe – 5 €".encode("windows-1252"), "text/plain")).texts == ["Größe – 5 €"]


async def test_control_characters_and_line_ends_are_made_plain(read: Any) -> None:
    raw = b"one\r\ntwo\x07 \r\n\r\n\r\n\r\nthree \xc2\xad\xe2\x80\x8bfour  "
    assert (await read(raw, "text/plain")).texts == ["one\ntwo\n\nthree four"]


async def test_an_encrypted_pdf_asks_for_a_copy_without_password(read: Any, documents: Any) -> None:
    locked = documents.pdf(["secret"])
    key = b"<" + b"41" * 32 + b">"
    extra = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O %s /U %s /P -4 >> /ID [<00> <00>]" % (key, key)
    locked = locked.replace(b"/Root 1 0 R", b"/Root 1 0 R " + extra)
    refusal = await refused(read, locked, "application/pdf")
    assert refusal.code == "encrypted"
    assert "password" in refusal.detail


REFUSALS = {
    "scan": ("no_text", lambda documents: (documents.pdf(["", ""]), "application/pdf", "a.pdf")),
    "cut pdf": ("broken", lambda documents: (documents.pdf(["x"])[:60], "application/pdf", "a.pdf")),
    "no pdf": ("broken", lambda _: (b"%PDF-1.4 and nothing more", "application/pdf", "a.pdf")),
    "no docx": ("broken", lambda documents: (b"PK\x03\x04 not really", documents.docx_type, "a.docx")),
    "cut docx": ("broken", lambda documents: (documents.docx("<w:p/>")[:-30], documents.docx_type, "a.docx")),
    "bad xml docx": ("broken", lambda documents: (documents.docx("<w:p>"), documents.docx_type, "a.docx")),
    "docx without text": ("empty", lambda documents: (documents.docx("<w:p/>"), documents.docx_type, "a.docx")),
    "blank text": ("empty", lambda _: (b" \n\t\n", "text/plain", "a.txt")),
    "blank html": ("empty", lambda _: (b"<html><body><script>x</script></body></html>", "text/html", "a.html")),
    "nothing": ("empty", lambda _: (b"", "text/plain", "a.txt")),
    "binary": ("not_text", lambda _: (b"abc\x00def", "text/plain", "a.txt")),
    "picture": ("unsupported_type", lambda _: (b"\x89PNG", "image/png", "a.png")),
}


@pytest.mark.parametrize("case", list(REFUSALS))
async def test_what_cannot_be_read_is_refused_in_clear_words(read: Any, documents: Any, case: str) -> None:
    code, make = REFUSALS[case]
    refusal = await refused(read, *make(documents))
    assert refusal.code == code
    assert len(refusal.detail) > 30
    assert "Error" not in refusal.detail
    assert "lxml" not in refusal.detail


async def test_text_and_passages_are_bounded(read: Any) -> None:
    text = ("Some words in a sentence. " * 4000).encode()
    assert (await refused(read, text, "text/plain", text_chars_max=50_000)).code == "too_much_text"
    assert (await refused(read, text, "text/plain", text_bytes_max=50_000)).code == "too_large"
    assert (await refused(read, text, "text/plain", chunks_max=10)).code == "too_much_text"


async def test_the_process_is_given_nothing_of_the_services_environment(
    monkeypatch: pytest.MonkeyPatch, children: Callable[[], set[int]], eventually: Any, read: Any
) -> None:
    monkeypatch.setenv("SERVICE_SIGNING_KEY", "top-secret")
    reading = asyncio.ensure_future(read(("word " * 2_000_000).encode(), "text/plain"))
    await eventually(lambda: bool(children()))
    (pid,) = children()
    environment = (Path("/proc") / str(pid) / "environ").read_bytes()
    limits = (Path("/proc") / str(pid) / "limits").read_text()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert b"top-secret" not in environment
    assert b"PATH=" not in environment
    assert "Max core file size" in limits
    await eventually(lambda: not children())


async def test_closing_the_answers_ends_the_process(embedding_model_folder: Path, tmp_path: Path, children: Callable[[], set[int]]) -> None:
    document = tmp_path / "long.txt"
    document.write_text("Words of a long text. " * 20_000)
    with document.open("rb") as file:
        job = _job(embedding_model_folder, file.fileno())
        async with aclosing(parse(job, fd=file.fileno(), wall_s_max=60)) as answers:
            assert isinstance(await anext(answers), frames.Chunks)
            assert children()
    assert not children()


async def test_the_process_ends_with_the_service(embedding_model_folder: Path, tmp_path: Path) -> None:
    """A service that is killed closes the pipe; the process must not read on for nobody."""
    document = tmp_path / "long.txt"
    document.write_text("Words of a long text. " * 1_000_000)
    with document.open("rb") as file:
        job = _job(embedding_model_folder, file.fileno()).encode()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "retrieval_service.parsing.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(file.fileno(),),
        )
        assert process.stdin is not None
        process.stdin.write(frames.LENGTH.pack(len(job)) + job)
        await process.stdin.drain()
        await asyncio.sleep(0.5)
        assert process.returncode is None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 10) == 1


def _job(folder: Path, fd: int) -> ParseJob:
    limits = ParseLimits(1024**3, 60, 100, 64 * 1024**2, 50_000_000, 1024**2, 1_000_000)
    return ParseJob(f"/dev/fd/{fd}", "text/plain", "long.txt", str(folder / "tokenizer.json"), 200, 40, limits)
