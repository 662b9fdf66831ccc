"""Reading documents in a confined process: what comes out of each format, and what is refused in
which words.
"""

import asyncio
import codecs
import io
import signal
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import docx
import pytest
from identities import KeyRing
from retrieval_service.ingestion.reading import DocumentReader, cpu_budget_s
from retrieval_service.parsing import frames, process
from retrieval_service.parsing.errors import DocumentRefused
from retrieval_service.parsing.job import ParseJob, ParseLimits
from retrieval_service.parsing.process import parse
from retrieval_service.settings import RetrievalSettings
from suite.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(read: Any, *arguments: Any, **options: Any) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        await read(*arguments, **options)
    return caught.value


async def test_a_pdf_keeps_its_page_numbers_and_says_how_far_it_is(read: Any, documents: Any) -> None:
    found = await read(
        documents.pdf(["The first page.", "The second page.", "The third page."]), "application/pdf"
    )
    assert [(chunk.page, chunk.text) for chunk in found.chunks] == [
        (1, "The first page."),
        (2, "The second page."),
        (3, "The third page."),
    ]
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
    note = (
        f'<w:footnotes xmlns:w="{_W}"><w:footnote><w:p><w:r><w:t>See page '
        "9.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
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
    assert found.texts == [
        "Top one\n\nHello world\nsecond line\n\na\nb\n\n1 | 2\n3 | 4\n\n  keep\n    this\n\nSub\n\ntail & "
        "café"
    ]


async def test_markdown_keeps_its_source_and_headings_outside_code(read: Any) -> None:
    long = " ".join(["word"] * 150)
    source = (
        f"# Guide\n\nIntro.\n\n## Use *it*\n\n{long}\n\n```sh\n# not a "
        f"heading\n```\n\nOther\n=====\n\n{long} end"
    )
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
        pytest.param(
            '<meta charset="shift_jis">naive cafe - 東京'.encode("shift_jis"), "text/html", id="declared"
        ),
    ],
)
async def test_encodings_are_recognised(read: Any, raw: bytes, content_type: str) -> None:
    assert (await read(raw, content_type)).texts[0].endswith("東京")


async def test_what_is_no_utf_8_is_read_as_western_text(read: Any) -> None:
    assert (await read("Größe – 5 €".encode("windows-1252"), "text/plain")).texts == ["Größe – 5 €"]


async def test_a_text_in_no_clear_encoding_is_refused(read: Any) -> None:
    with pytest.raises(DocumentRefused) as refused:
        await read("安全".encode("gbk") + b" \xff\xfe\x81", "text/plain")
    assert refused.value.code == "unclear_encoding"


async def test_a_text_in_a_national_encoding_is_read(read: Any) -> None:
    text = "本合同由甲乙双方签订，自签字之日起生效。"
    assert (await read(text.encode("gbk"), "text/plain")).texts == [text]


def drawn(
    documents: Any,
    operations: bytes,
    *,
    catalogue: bytes = b"",
    page: bytes = b"",
    more: tuple[bytes, ...] = (),
) -> bytes:
    """A PDF of one page; its further objects have the numbers from 6 on."""
    return documents.pdf_of(
        [
            b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalogue,
            b"<< /Type /Pages /Count 1 /Kids [5 0 R] >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(operations), operations),
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << "
            b"/F1 3 0 R >> >> %s >>" % page,
            *more,
        ]
    )


def placed(rows: list[tuple[int, list[tuple[int, str]]]]) -> bytes:
    """Texts at (x, y), in the order they are given."""
    texts = (
        b"1 0 0 1 %d %d Tm (%s) Tj" % (x, y, text.encode("latin-1")) for y, cells in rows for x, text in cells
    )
    return b"BT /F1 9 Tf %s ET" % b" ".join(texts)


async def test_columns_of_a_pdf_that_are_drawn_row_by_row_stay_apart(read: Any, documents: Any) -> None:
    rows = [
        (
            760,
            [
                (
                    50,
                    "A title that goes over both of the columns, from the left to the right of the whole "
                    "page, like this",
                )
            ],
        )
    ]
    for number in range(8):
        left, right = (
            f"Left line {number} of a story about a long journey",
            f"Right line {number} of another one, which is about money",
        )
        rows.append((700 - 12 * number, [(50, left), (310, right)]))
    rows += [
        (600, [(50, "Left line 8 ends it.")]),
        (560, [(50, "A foot over both columns, which is as long as the title and ends the whole page")]),
    ]
    text = "\n".join((await read(drawn(documents, placed(rows)), "application/pdf", overlap=0)).texts)
    lines = [line for line in text.split("\n") if line]
    assert lines[0].startswith("A title")
    assert [line.split(" of ")[0] for line in lines[1:9]] == [f"Left line {number}" for number in range(8)]
    assert lines[9] == "Left line 8 ends it."
    assert [line.split(" of ")[0] for line in lines[10:18]] == [f"Right line {number}" for number in range(8)]
    assert lines[18].startswith("A foot")


async def test_rows_of_a_table_in_a_pdf_stay_together(read: Any, documents: Any) -> None:
    rows = [
        (700 - 12 * number, [(50, f"Item {number}"), (200, f"{number} EUR"), (350, f"in March {number}")])
        for number in range(10)
    ]
    (text,) = (await read(drawn(documents, placed(rows)), "application/pdf")).texts
    assert text.split("\n")[3].split() == ["Item", "3", "3", "EUR", "in", "March", "3"]


async def test_filled_form_fields_of_a_pdf_are_read(read: Any, documents: Any) -> None:
    fields = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (applicant) /TU (Name of applicant)"
        b" /V (Ada Lovelace) /Rect [50 700 200 720] /P 5 0 R >>",
        b"<< /Type /Annot /Subtype /Widget /FT /Btn /T (agree) /V /Yes /AS /Yes"
        b" /AP << /N << /Yes 9 0 R /Off 9 0 R >> >> /Rect [50 660 70 680]"
        b" /P 5 0 R >>",
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (empty) /Rect [50 620 200 640] /P 5 0 R >>",
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Length 0 >>\nstream\n\nendstream",
    )
    form = b"/AcroForm << /Fields [6 0 R 7 0 R 8 0 R] /DA (/Helv 0 Tf 0 g) >>"
    content = drawn(
        documents,
        placed([(760, [(50, "Application")])]),
        catalogue=form,
        page=b"/Annots [6 0 R 7 0 R 8 0 R]",
        more=fields,
    )
    (text,) = (await read(content, "application/pdf")).texts
    assert text == "Application\n\nName of applicant: Ada Lovelace\nagree: Yes"


async def test_a_text_box_of_a_docx_is_read_once_and_apart(read: Any, documents: Any) -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    both = (
        f'<mc:AlternateContent xmlns:mc="{mc}"><mc:Choice '
        f'Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice>'
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    )
    body = f"<w:p><w:r><w:t>Before, </w:t></w:r><w:r>{both}</w:r><w:r><w:t>and after.</w:t></w:r></w:p>"
    (text,) = (await read(documents.docx(body), documents.docx_type)).texts
    assert text == "In the box.\n\nBefore, and after."
    table = f"<w:tbl><w:tr><w:tc><w:p><w:r><w:t>cell</w:t></w:r><w:r>{both}</w:r></w:p></w:tc></w:tr></w:tbl>"
    (text,) = (await read(documents.docx(table), documents.docx_type)).texts
    assert sorted(text.split()) == ["In", "box.", "cell", "the"]


async def test_headers_and_footers_of_a_docx_are_read_once(read: Any, documents: Any) -> None:
    def part(kind: str, text: str) -> bytes:
        return f'<w:{kind} xmlns:w="{_W}"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{kind}>'.encode()

    content = documents.docx(
        "<w:p><w:r><w:t>Body.</w:t></w:r></w:p>",
        header1=part("hdr", "Contract 4711"),
        header2=part("hdr", "Contract 4711"),
        footer1=part("ftr", "Confidential"),
        footer2=part("ftr", "7"),
    )
    assert (await read(content, documents.docx_type)).texts == ["Body.\n\nConfidential\n\nContract 4711"]


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
    "docx without text": (
        "empty",
        lambda documents: (documents.docx("<w:p/>"), documents.docx_type, "a.docx"),
    ),
    "blank text": ("empty", lambda _: (b" \n\t\n", "text/plain", "a.txt")),
    "blank html": (
        "empty",
        lambda _: (b"<html><body><script>x</script></body></html>", "text/html", "a.html"),
    ),
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


# A document whose reading never ends, as its reader sees it. Sleep would cost no time of a core.
ENDLESS = """
from retrieval_service.parsing import worker
from retrieval_service.parsing.adapters import plain
from retrieval_service.parsing.blocks import Block

def read(source):
    yield Block("begun")
    while True:
        pass

plain.read = read
worker.main()
"""


@pytest.mark.parametrize("confined", [True, False])
async def test_a_document_gets_its_time_on_a_core_and_no_more(
    read: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, confined: bool
) -> None:
    """Counted on the core, so that a busy machine changes nothing; the clock's limit is far away and would
    say nothing of a death.
    """
    monkeypatch.setattr(process, "command", lambda _module: [sys.executable, "-I", "-c", ENDLESS])
    refusal = await refused(read, b"whatever", "text/plain", wall_s=600, cpu_s_max=1, confined=confined)
    assert refusal.code == "too_slow"
    [died] = [record for record in caplog.records if record.getMessage() == "parsing process died"]
    assert vars(died)["status"] in {-signal.SIGXCPU, -signal.SIGKILL}


async def test_a_small_file_gets_little_time_and_the_largest_what_the_setting_says(tmp_path: Path) -> None:
    assert [cpu_budget_s(size, 300) for size in (0, 999_999, 10_000_000, 200_000_000)] == [30, 39, 130, 300]
    assert cpu_budget_s(200_000_000, 20) == cpu_budget_s(1, 20) == 20
    fields = KeyRing().settings_fields("retrieval-service", database_url="postgresql://a@127.0.0.1/b")
    nothing: Any = None
    reader = DocumentReader(
        nothing, nothing, RetrievalSettings(**fields, atrium_home=tmp_path, parser_cpu_s_max=100)
    )
    assert [reader._limits(size).cpu_s_max for size in (0, 1_000_000, 200_000_000)] == [30, 40, 100]


async def test_the_process_is_given_nothing_of_the_services_environment(
    monkeypatch: pytest.MonkeyPatch, children: Callable[[], set[int]], read: Any
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


async def test_closing_the_answers_ends_the_process(
    embedding_model_folder: Path, tmp_path: Path, children: Callable[[], set[int]]
) -> None:
    document = tmp_path / "long.txt"
    document.write_text("Words of a long text. " * 20_000)
    with document.open("rb") as file:
        job = _job(embedding_model_folder, file.fileno())
        async with aclosing(parse(job, fd=file.fileno(), wall_s_max=60)) as answers:
            assert isinstance(await anext(answers), frames.Chunks)
            assert children()
    assert not children()


async def test_closing_the_answers_ends_a_process_that_waits_for_its_reader(
    embedding_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pipe is full, and nobody reads on."""
    started: list[Any] = []
    create = asyncio.create_subprocess_exec

    async def noted(*arguments: Any, **options: Any) -> Any:
        started.append(await create(*arguments, **options))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    document = tmp_path / "long.txt"
    document.write_text("Words of a long text. " * 200_000)
    with document.open("rb") as file:
        job = _job(embedding_model_folder, file.fileno())
        async with aclosing(parse(job, fd=file.fileno(), wall_s_max=60)) as answers:
            await anext(answers)
            await eventually(lambda: started[0].stdout._paused)
            closing = asyncio.ensure_future(answers.aclose())
            assert (await asyncio.wait({closing}, timeout=30))[0]
    assert started[0].returncode == -signal.SIGKILL


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
        assert await asyncio.wait_for(process.wait(), 20) == 1


def _job(folder: Path, fd: int) -> ParseJob:
    limits = ParseLimits(1024**3, 60, 100, 64 * 1024**2, 50_000_000, 1024**2, 1_000_000)
    return ParseJob(
        f"/dev/fd/{fd}", "text/plain", "long.txt", str(folder / "tokenizer.json"), 200, 40, limits
    )
