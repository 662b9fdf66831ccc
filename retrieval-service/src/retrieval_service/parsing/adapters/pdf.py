"""PDF, page by page, with the page numbers a viewer shows in its count and the headings of its outline."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pypdfium2
import pypdfium2.raw

from retrieval_service.parsing.blocks import Block, HeadingPath, clean, clean_line
from retrieval_service.parsing.errors import DocumentRefused, broken, too_much_text
from retrieval_service.parsing.reading import Source

_pdfium, _raw = cast("Any", pypdfium2), cast("Any", pypdfium2.raw)
_OUTLINE_ENTRIES_MAX = 10_000
_OUTLINE_DEPTH_MAX = 4
# A hyphen at the end of a line that only breaks a word: pdfium marks it with one of these.
_BROKEN_WORD = re.compile("[\x02\ufffe]\r?\n?")


def read(source: Source) -> Iterator[Block]:
    document = _open(source)
    pages = len(document)
    if pages > source.limits.pages_max:
        raise DocumentRefused(
            "too_many_pages", f"this PDF has {pages:,} pages, {source.limits.pages_max:,} at most can be read; split it into several files"
        )
    headings = _headings_by_page(document)
    found, path = False, ()
    source.report(0, pages)
    for number in range(pages):
        path = headings.get(number, path)
        text = clean(_BROKEN_WORD.sub("", _page_text(document, number, source.limits.text_chars_max)))
        found = found or bool(text)
        yield Block(text, page=number + 1, headings=path)
        source.report(number + 1, pages)
    if not found:
        raise DocumentRefused("no_text", "no page of this PDF holds text: it is a scan; run text recognition over it first")


def _open(source: Source) -> Any:
    # Opened by its plain path: the library's own way in would resolve that, and the file has no name to resolve to.
    handle = _raw.FPDF_LoadDocument(str(source.path).encode(), None)
    if not handle:
        if _raw.FPDF_GetLastError() in (_raw.FPDF_ERR_PASSWORD, _raw.FPDF_ERR_SECURITY):
            raise DocumentRefused("encrypted", "this PDF asks for a password; save a copy without one and upload that")
        raise broken("PDF")
    document = _pdfium.PdfDocument(handle)
    if len(document) == 0:
        raise broken("PDF")
    return document


def _page_text(document: Any, number: int, chars_max: int) -> str:
    """Text of one page; none of a page that cannot be read, as viewers show it blank."""
    try:
        page = document[number]
    except _pdfium.PdfiumError:
        return ""
    try:
        textpage = page.get_textpage()
        try:
            if textpage.count_chars() > chars_max:
                raise too_much_text(chars_max)
            return cast("str", textpage.get_text_range())
        finally:
            textpage.close()
    except _pdfium.PdfiumError:
        return ""
    finally:
        page.close()


def _headings_by_page(document: Any) -> dict[int, tuple[str, ...]]:
    """The path of the first outline entry on each page that has one."""
    headings, found = HeadingPath(), dict[int, tuple[str, ...]]()
    for count, entry in enumerate(document.get_toc(max_depth=_OUTLINE_DEPTH_MAX)):
        if count == _OUTLINE_ENTRIES_MAX:
            break
        target = entry.get_dest()
        page = None if target is None else target.get_index()
        path = headings.enter(entry.level + 1, clean_line(entry.get_title()))
        if page is not None:
            found.setdefault(page, path)
    return found
