"""What can be refused about chunks."""

from shared.errors import Invalid, NotFound


class ChunkNotFound(NotFound):
    """No such passage in this file."""

    code = "chunk_not_found"

    def __init__(self) -> None:
        super().__init__("this file has no such passage; it may have been read again since")


class ChunkCursorInvalid(Invalid):
    """`after` is no chunk of this file."""

    code = "cursor_invalid"

    def __init__(self) -> None:
        super().__init__("`after` must be the last_id of the page before")
