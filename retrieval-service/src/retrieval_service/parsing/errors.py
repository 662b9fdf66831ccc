"""Why a document cannot be read, in words its owner can act on."""


class DocumentRefused(Exception):
    """`code` and `detail` are shown to the file's owner and hold nothing of a library's own words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def empty() -> DocumentRefused:
    return DocumentRefused("empty", "there is no text in this file; upload one that has some")


def broken(kind: str) -> DocumentRefused:
    return DocumentRefused(
        "broken",
        f"this {kind} is damaged or incomplete; save it again in its own program and upload that copy",
    )


def too_much_text(chars_max: int) -> DocumentRefused:
    return DocumentRefused(
        "too_much_text",
        f"this file holds more than {chars_max:,} characters of text; split it into several files",
    )


def too_large(kind: str, bytes_max: int) -> DocumentRefused:
    return DocumentRefused(
        "too_large",
        f"{kind} files can be {bytes_max // 1024 // 1024} MB at most; split it into several files",
    )


def binary() -> DocumentRefused:
    return DocumentRefused(
        "not_text",
        "this file holds binary data instead of text; upload PDF, DOCX, HTML, Markdown or plain text",
    )


def unclear_encoding() -> DocumentRefused:
    return DocumentRefused(
        "unclear_encoding",
        "the encoding of this text cannot be told for sure; save it as UTF-8 and upload that copy",
    )


def too_many_chunks(chunks_max: int) -> DocumentRefused:
    return DocumentRefused(
        "too_much_text", f"this file makes more than {chunks_max:,} passages; split it into several files"
    )


def not_confined() -> DocumentRefused:
    return DocumentRefused(
        "reader_not_confined",
        "this installation cannot shut the reader of files in, so it reads none; ask your operator to look "
        "at /readyz",
    )
