"""How much of a branch a turn may send, and that much of it."""

from shared.clients.windows import ModelWindows
from shared.db import Database

from chat_service.messages import service as messages
from chat_service.messages.history import BYTES_PER_TOKEN, Line
from chat_service.settings import ChatSettings
from chat_service.turns.specs import TurnSpec


class Histories:
    """Reads histories; one a process."""

    def __init__(self, database: Database, windows: ModelWindows, settings: ChatSettings) -> None:
        self._database = database
        self._windows = windows
        self._messages_max = settings.history_messages_max

    async def bytes_max(self, spec: TurnSpec) -> int:
        """Bytes of prompt that the model can read beside its answer."""
        answer_max = spec.options.get("max_tokens")
        return BYTES_PER_TOKEN * await self._windows.prompt_tokens(spec.principal, spec.model, answer_tokens_max=answer_max)

    async def lines(self, spec: TurnSpec, *, bytes_max: int) -> list[Line]:
        """The newest part of the branch, root first; its oldest line may pass the budget."""
        async with self._database.transaction() as session:
            return await messages.history(
                session, chat_id=spec.chat_id, leaf_id=spec.leaf_id, messages_max=self._messages_max, bytes_max=bytes_max
            )
