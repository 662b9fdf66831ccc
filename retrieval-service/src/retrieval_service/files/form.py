"""multipart/form-data read as it arrives: fields are kept, the file is handed on in chunks."""

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from retrieval_service.files.errors import FormInvalid

FILE_FIELD = "file"
_FIELD_BYTES_MAX = 1000
# RFC 5987, section 3.2: charset, an optional language, the percent-encoded name. Outside of quotation marks
# only.
_EXTENDED = re.compile(
    rb"""^(?:[^"]|"(?:[^"\\]|\\.)*")*?;\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^';]*'([^\s;"]*)""",
    re.IGNORECASE,
)
_PARTS_MAX = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """The file of a form, while it arrives."""

    filename: str
    content_type: str | None
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class Form(Generic[T]):
    """A form that was read to its end. `file`: what the taker made of it."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    file: T | None = None


@dataclass(slots=True)
class _Part:
    """The headers of a part, by lower-case name."""

    headers: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])


_END = object()  # of a part


class _Events:
    """The parser pushes, the reader pulls: at most one chunk of the body is held."""

    def __init__(self, boundary: bytes, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._events: deque[_Part | bytes | object] = deque()
        self._part = _Part()
        self._header = [b"", b""]
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": lambda data, start, end: self._on_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._on_header(1, data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": lambda: self._events.append(self._part),
                "on_part_data": lambda data, start, end: self._events.append(bytes(data[start:end])),
                "on_part_end": lambda: self._events.append(_END),
                "on_end": self._on_end,
            },
        )

    def _on_part_begin(self) -> None:
        self._part = _Part()

    def _on_header(self, place: int, data: bytes) -> None:
        self._header[place] += data

    def _on_header_end(self) -> None:
        self._part.headers[self._header[0].lower()] = self._header[1]
        self._header = [b"", b""]

    def _on_end(self) -> None:
        self._complete = True

    async def next(self) -> "_Part | bytes | object | None":
        """None at the end of the form. Raises: FormInvalid."""
        while not self._events:
            chunk = await anext(self._body, None)
            if chunk is None:
                if not self._complete:
                    raise FormInvalid("the form ends before its closing boundary; send it whole")
                return None
            try:
                self._parser.write(chunk)
            except MultipartParseError:
                raise FormInvalid("the body is not well-formed multipart/form-data") from None
        return self._events.popleft()

    async def data(self) -> AsyncGenerator[bytes]:
        """What is left of the part."""
        while isinstance(chunk := await self.next(), bytes):
            yield chunk


async def read_form(
    body: AsyncIterator[bytes],
    *,
    content_type: str | None,
    fields: frozenset[str],
    take: Callable[[IncomingFile], Awaitable[T]],
) -> Form[T]:
    """Read a form with one part `file` and some of `fields`, in any order.

    Raises:
        FormInvalid: no such form; and what `take` and `body` raise.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise FormInvalid("send the file as multipart/form-data with a part named file")
    events = _Events(options[b"boundary"], body)
    form = Form[T]()
    for _ in range(_PARTS_MAX):
        part = await events.next()
        if part is None:
            return form
        if isinstance(part, _Part):
            await _read_part(events, part, form, fields=fields, take=take)
    raise FormInvalid(f"the form has more than {_PARTS_MAX} parts; send one file")


async def _read_part(
    events: _Events,
    part: _Part,
    form: Form[T],
    *,
    fields: frozenset[str],
    take: Callable[[IncomingFile], Awaitable[T]],
) -> None:
    _, disposition = parse_options_header(part.headers.get(b"content-disposition"))
    name = _text(disposition.get(b"name", b""))
    filename = _filename(part.headers.get(b"content-disposition", b""), disposition)
    if name == FILE_FIELD and filename is not None:
        if form.file is not None:
            raise FormInvalid("the form holds several files; send one at a time")
        claimed = part.headers.get(b"content-type")
        incoming = IncomingFile(filename, _text(claimed) if claimed else None, events.data())
        form.file = await take(incoming)
        return
    if name not in fields or name in form.fields:
        known = ", ".join(sorted({FILE_FIELD, *fields}))
        raise FormInvalid(
            f"the form has a part {name[:40]!r} that is not expected; it takes each of {known} once, the "
            "file with a filename"
        )
    value = b""
    async for chunk in events.data():
        value += chunk
        if len(value) > _FIELD_BYTES_MAX:
            raise FormInvalid(f"{name} is longer than {_FIELD_BYTES_MAX} bytes")
    form.fields[name] = _text(value)


def _filename(header: bytes, disposition: dict[bytes, bytes]) -> str | None:
    """Its name; None when the part is no file. `filename*` says it in full where both are there (RFC 6266,
    section 4.3).
    """
    if (extended := _EXTENDED.search(header)) is not None:
        charset, raw = extended[1].decode("ascii").lower(), unquote_to_bytes(extended[2])
        try:
            return raw.decode("utf-8" if charset == "utf-8" else "latin-1")
        except UnicodeDecodeError:
            raise FormInvalid(
                "filename* is not the UTF-8 that it says to be; send the name in UTF-8"
            ) from None
    if b"filename" not in disposition:
        return None
    return _text(disposition[b"filename"]).replace("%22", '"')  # how browsers write a quotation mark here


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")
