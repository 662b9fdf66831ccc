"""What can be refused about uploads."""

from typing import ClassVar

from shared.errors import AppError, Conflict, Invalid, NotFound, PayloadTooLarge, TooManyRequests


class UploadNotFound(NotFound):
    """It is not there, expired, or not the caller's."""

    code = "upload_not_found"

    def __init__(self) -> None:
        super().__init__(
            "there is no such upload; it may have expired, so begin again at POST /api/v1/retrieval/uploads"
        )


class OffsetConflict(Conflict):
    """The chunk does not continue what has arrived."""

    code = "offset_conflict"

    def __init__(self, offset: int) -> None:
        super().__init__(
            f"the next chunk of this upload begins at {offset}; send Upload-Offset: {offset}",
            extra={"offset": offset},
        )


class ChunkInvalid(Invalid):
    """A chunk of a size that does not fit."""

    code = "chunk_invalid"


class ChunkTooLarge(PayloadTooLarge):
    """More bytes than one chunk may have, or than the file has left."""

    code = "chunk_too_large"


class ChecksumMismatch(Invalid):
    """What arrived is not what was announced."""

    code = "checksum_mismatch"

    def __init__(self) -> None:
        super().__init__("what arrived does not have the announced sha256; upload the file again")


class TooManyUploads(TooManyRequests):
    """As many unfinished uploads as one person may have."""

    code = "too_many_uploads"


class UploadRefused(AppError):
    """An upload that was refused before, for the reason it was refused for."""

    title: ClassVar[str] = "The upload was refused"

    def __init__(self, *, status: int, code: str, detail: str) -> None:
        super().__init__(detail, code=code)
        self.status = status  # pyright: ignore[reportAttributeAccessIssue] - one instance, one status


class UploadLost(Conflict):
    """Chunks that had arrived are gone."""

    code = "upload_lost"

    def __init__(self) -> None:
        super().__init__("parts of the upload are gone; begin again at POST /api/v1/retrieval/uploads")
