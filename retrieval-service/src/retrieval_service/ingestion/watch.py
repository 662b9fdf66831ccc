"""While something long runs for a file: its progress reaches the file's row, and it stops when the file is
not wanted any more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar
from uuid import UUID

from shared.clock import monotonic_s
from shared.db import Database
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from retrieval_service.files import progress
from retrieval_service.ingestion.errors import Unwanted

T = TypeVar("T")
Stage = Literal["parsing", "embedding"]

_LOOK_S = 0.5
_ALIVE_S = 60

log = logging.getLogger(__name__)


class Watch:
    """Of one stage of one attempt. Whoever works sets `done`, `total` and `unit`; the row follows twice a
    second at most.
    """

    def __init__(self, database: Database, file_id: UUID, attempt: int, *, stage: Stage) -> None:
        self.done = 0
        self.total: int | None = None
        self.unit: Literal["bytes", "pages", "chunks"] = "chunks"
        self._database = database
        self._file_id = file_id
        self._attempt = attempt
        self._stage: Stage = stage
        self._written: tuple[object, ...] = ()
        self._written_at_s = float("-inf")

    async def during(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`. Raises: Unwanted after `work` was cancelled for it; what `work` raises."""
        failure: BaseException | None = None
        result: list[T] = []

        async def run() -> None:
            nonlocal failure
            try:
                result.append(await work())
            except Exception as error:  # noqa: BLE001 - handed to the caller below, outside the group, which would wrap it
                failure = error

        async with asyncio.TaskGroup() as group:
            working = group.create_task(run())
            looking = group.create_task(self._look_until_unwanted())
            ended, _ = await asyncio.wait({working, looking}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            looking.cancel()
        if result:
            return result[0]
        # Work that was cancelled by anybody else has not ended: its workflow continues later.
        raise failure or (Unwanted if looking in ended else asyncio.CancelledError)

    async def _look_until_unwanted(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                if not await self._look():
                    return
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning(
                    "the progress of a file could not be noted", extra={"error": type(error).__name__}
                )

    async def _look(self) -> bool:
        """Whether to go on."""
        now = (self.done, self.total, self.unit)
        async with self._database.transaction() as session:
            if now == self._written and monotonic_s() - self._written_at_s < _ALIVE_S:
                return await progress.wanted(session, self._file_id, self._attempt) is not None
            self._written, self._written_at_s = now, monotonic_s()
            # Stages only go forward, and a reading that begins again may have been further once.
            return await self._note(session, self._stage) or await self._note(session, "embedding")

    async def _note(self, session: AsyncSession, stage: Stage) -> bool:
        return await progress.advance(
            session,
            self._file_id,
            self._attempt,
            stage=stage,
            done=self.done,
            total=self.total,
            unit=self.unit,
        )
