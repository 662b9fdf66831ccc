"""PDF, page by page, with the page numbers a viewer shows in its count and the headings of its outline."""

import ctypes
import re
from collections.abc import Iterator
from typing import Any, cast

import pypdfium2
import pypdfium2.raw

from retrieval_service.parsing.blocks import Block, HeadingPath, clean, clean_line
from retrieval_service.parsing.columns import TextRun, in_reading_order, lines_of
from retrieval_service.parsing.errors import DocumentRefused, broken, too_much_text
from retrieval_service.parsing.reading import DocumentSource

_pdfium, _raw, _ctypes = cast("Any", pypdfium2), cast("Any", pypdfium2.raw), cast("Any", ctypes)
_OUTLINE_ENTRIES_MAX = 10_000
_OUTLINE_DEPTH_MAX = 4
# A hyphen at the end of a line that only breaks a word: pdfium marks it with one of these.
_FIELDS_MAX = 2_000  # of one page
_FIELD_BYTES_MAX = 64 * 1024
_UNSET = frozenset({"", "Off"})
# Asking for the text of a stretch looks at every character of the page.
_LAYOUT_LOOKS_MAX = 20_000_000
_BROKEN_WORD = re.compile("[\x02\ufffe]\r?\n?")


def read(source: DocumentSource) -> Iterator[Block]:
    document = _open(source)
    pages = len(document)
    if pages > source.limits.pages_max:
        raise DocumentRefused(
            "too_many_pages",
            f"this PDF has {pages:,} pages, {source.limits.pages_max:,} at most can be read; split it into "
            "several files",
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
        raise DocumentRefused(
            "no_text", "no page of this PDF holds text: it is a scan; run text recognition over it first"
        )


def _open(source: DocumentSource) -> Any:
    # Opened by its plain path: the library's own way in would resolve that, and the file has no name to
    # resolve to.
    handle = _raw.FPDF_LoadDocument(str(source.path).encode(), None)
    if not handle:
        if _raw.FPDF_GetLastError() in (_raw.FPDF_ERR_PASSWORD, _raw.FPDF_ERR_SECURITY):
            raise DocumentRefused(
                "encrypted", "this PDF asks for a password; save a copy without one and upload that"
            )
        raise broken("PDF")
    document = _pdfium.PdfDocument(handle)
    if len(document) == 0:
        raise broken("PDF")
    if document.get_formtype() == _raw.FORMTYPE_ACRO_FORM:
        document.init_forms()
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
            return "\n\n".join(filter(None, (_laid_out(textpage), _fields(document, page))))
        finally:
            textpage.close()
    except _pdfium.PdfiumError:
        return ""
    finally:
        page.close()


def _laid_out(textpage: Any) -> str:
    """As it was drawn, but columns that were drawn row by row one after the other."""
    whole = cast("str", textpage.get_text_range())
    count = textpage.count_rects()
    if count * len(whole) > _LAYOUT_LOOKS_MAX:
        return whole
    boxes = [cast("tuple[float, float, float, float]", textpage.get_rect(index)) for index in range(count)]
    ordered = in_reading_order(lines_of([TextRun(index, *box) for index, box in enumerate(boxes)]))
    if ordered is None:
        return whole
    return "\n".join(" ".join(_text_in(textpage, boxes[run.index]) for run in line) for line in ordered)


def _text_in(textpage: Any, box: tuple[float, float, float, float]) -> str:
    text: str = textpage.get_text_bounded(*box)
    return text.strip()


def _fields(document: Any, page: Any) -> str:
    """The form fields that hold something, from top to bottom: they are no part of the page's text."""
    forms = document.formenv
    if forms is None:
        return ""
    found: list[tuple[float, float, str]] = []
    for index in range(min(_raw.FPDFPage_GetAnnotCount(page), _FIELDS_MAX)):
        annotation = _raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            if (line := _field(forms, annotation)) is not None:
                box = _raw.FS_RECTF()
                _raw.FPDFAnnot_GetRect(annotation, box)
                found.append((-box.top, box.left, line))
        finally:
            _raw.FPDFPage_CloseAnnot(annotation)
    return "\n".join(line for _, _, line in sorted(found))


def _field(forms: Any, annotation: Any) -> str | None:
    if _raw.FPDFAnnot_GetSubtype(annotation) != _raw.FPDF_ANNOT_WIDGET:
        return None
    ticks = (_raw.FPDF_FORMFIELD_CHECKBOX, _raw.FPDF_FORMFIELD_RADIOBUTTON)
    if _raw.FPDFAnnot_GetFormFieldType(forms, annotation) in ticks and not _raw.FPDFAnnot_IsChecked(
        forms, annotation
    ):
        return None
    value = _string(_raw.FPDFAnnot_GetFormFieldValue, forms, annotation)
    if value in _UNSET:
        return None
    name = _string(_raw.FPDFAnnot_GetFormFieldAlternateName, forms, annotation)
    name = name or _string(_raw.FPDFAnnot_GetFormFieldName, forms, annotation)
    return f"{clean_line(name)}: {value}" if name else value


def _string(get: Any, forms: Any, annotation: Any) -> str:
    size_bytes = min(get(forms, annotation, None, 0), _FIELD_BYTES_MAX)
    if size_bytes <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size_bytes)
    if (
        get(forms, annotation, _ctypes.cast(buffer, _ctypes.POINTER(_raw.FPDF_WCHAR)), size_bytes)
        > size_bytes
    ):
        return ""  # it was longer than a field may be, and nothing was written
    return buffer.raw.decode("utf-16-le", errors="replace").rstrip("\0").strip()


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
