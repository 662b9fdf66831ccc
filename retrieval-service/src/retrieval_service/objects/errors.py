"""Refusals of object stores."""

from shared.errors import AppError


class StorageFull(AppError):
    """Nothing can be stored before somebody makes room; what is stored can be read."""

    status, code, title = 507, "storage_full", "Storage is full"

    def __init__(self) -> None:
        super().__init__(
            "the disk that files are kept on is full; make room on it, or ask an administrator to",
            headers={"Retry-After": "60"},
        )
