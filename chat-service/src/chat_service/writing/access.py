"""People and keys that lost access: their running turns end, in whichever process."""

from shared.access import AccessEnd
from shared.db import Database

from chat_service.writing import repository
from chat_service.writing.models import TurnKind
from chat_service.writing.runner import TurnRunner
from chat_service.writing.specs import NEEDED


class AccessEnds:
    """Hears every loss of access; each process ends its own turns and notes it on all, for processes that do
    not hear it.
    """

    def __init__(self, database: Database, runner: TurnRunner) -> None:
        self._database = database
        self._runner = runner

    async def end(self, end: AccessEnd) -> None:
        """End what runs for the person or under the key; to be told again changes nothing."""
        self._runner.end_access(end)
        kinds: list[TurnKind] = [
            kind
            for kind, permissions in NEEDED.items()
            if any(end.ends(permission) for permission in permissions)
        ]
        if kinds:
            async with self._database.transaction() as session:
                await repository.request_end(
                    session, user_id=end.user_id, key_id=end.key_id, kinds=kinds, reason=end.reason.value
                )
