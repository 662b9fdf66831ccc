"""How much one person may keep."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import repository
from retrieval_service.files.errors import QuotaExceeded
from retrieval_service.files.schemas import QuotaView

Reserved = Callable[[AsyncSession, UUID], Awaitable[tuple[int, int]]]
"""Files and bytes that a person's unfinished uploads will take."""


class FileQuota:
    """One per process."""

    def __init__(self, *, files_max: int, bytes_max: int, file_bytes_max: int, reserved: Reserved) -> None:
        self._files_max = files_max
        self._bytes_max = bytes_max
        self.file_bytes_max = file_bytes_max
        self._reserved = reserved

    async def view(self, session: AsyncSession, user_id: UUID) -> QuotaView:
        """What the person holds and may hold, unfinished uploads counted."""
        files, size_bytes = await repository.usage(session, user_id=user_id)
        more_files, more_bytes = await self._reserved(session, user_id)
        return QuotaView(
            files=files + more_files,
            files_max=self._files_max,
            bytes=size_bytes + more_bytes,
            bytes_max=self._bytes_max,
            file_bytes_max=self.file_bytes_max,
        )

    async def require_room(self, session: AsyncSession, user_id: UUID, size_bytes: int) -> None:
        """Room for one more file, kept until the transaction ends. Raises: QuotaExceeded."""
        await repository.lock_quota(session, user_id=user_id)
        held = await self.view(session, user_id)
        if held.files >= self._files_max:
            raise QuotaExceeded(
                f"you keep {held.files} files of at most {self._files_max}; delete some first"
            )
        if held.bytes + size_bytes > self._bytes_max:
            raise QuotaExceeded(
                f"your files hold {held.bytes} of {self._bytes_max} bytes, so {size_bytes} more do not fit; "
                "delete some first"
            )
