"""What can be refused about files."""

from shared.errors import Conflict, Invalid, NotFound, PayloadTooLarge, UnsupportedMediaType


class FileNotFound(NotFound):
    """The file is not there or not the caller's to see; the two look the same from outside."""

    code = "file_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such file; GET /api/v1/retrieval/files lists yours")


class FilenameInvalid(Invalid):
    """The name cannot be shown or stored."""

    code = "filename_invalid"


class FileMissing(Invalid):
    """The form holds no file."""

    code = "file_missing"


class FormInvalid(Invalid):
    """The body is not the form the route takes."""

    code = "form_invalid"


class FileTooLarge(PayloadTooLarge):
    """Larger than one file may be."""

    code = "file_too_large"

    def __init__(self, size_max: int) -> None:
        super().__init__(
            f"the file is larger than the {size_max} bytes one file may have; split it, or ask your operator"
        )


class QuotaExceeded(PayloadTooLarge):
    """The person's files would hold more than they may."""

    code = "quota_exceeded"


class TypeRefused(UnsupportedMediaType):
    """The content is of no type that can be read, or not of the type it claims."""

    code = "type_refused"


class StageConflict(Conflict):
    """The file is not at a stage where this can be done."""

    code = "stage_conflict"


class ScopeTooLarge(Invalid):
    """More files at once than one search may look into."""

    code = "scope_too_large"

    def __init__(self, files_max: int) -> None:
        super().__init__(
            f"this would search more than {files_max} files at once; name fewer knowledge bases or files"
        )
