"""What can be refused about chunks."""

from shared.errors import NotFound


class ChunkNotFound(NotFound):
    """No such passage in this file."""

    code = "chunk_not_found"

    def __init__(self) -> None:
        super().__init__("this file has no such passage; it may have been read again since")
