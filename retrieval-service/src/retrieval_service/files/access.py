"""Ends what is read for people and keys that lost access. Whoever has it back tries the file again, from its
start.
"""

import logging

from shared.access import AccessEnd
from shared.auth.permissions import Permission
from shared.db import Database

from retrieval_service.files import repository

log = logging.getLogger(__name__)


class AccessEnds:
    """One per process; the rows tell all processes, whichever of them reads the file, within half a
    second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self, end: AccessEnd) -> None:
        """Whoever may upload may have it read. Repeating this changes nothing."""
        if not end.ends(Permission.FILES_WRITE):
            return
        async with self._database.transaction() as session:
            ended = await repository.end_of_person(
                session, user_id=end.user_id, key_id=end.key_id, code=end.reason.value, detail=end.detail
            )
        if ended:
            log.info(
                "ingestions ended: access was lost", extra={"reason": end.reason.value, "files": len(ended)}
            )
