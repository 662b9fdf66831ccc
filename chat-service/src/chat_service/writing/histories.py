"""How much of a branch a turn may send, and that much of it."""

from shared.clients.windows import ModelWindows
from shared.contracts.chat import LeftOutEventData
from shared.db import Database
from shared.replies.fitting import Budget
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.messages import service as messages
from chat_service.messages.service import BranchHistory
from chat_service.settings import ChatSettings
from chat_service.writing.specs import Read, TurnSpec

_REMEMBERED_MAX = 1000


class Histories:
    """Reads histories. One instance per process."""

    def __init__(self, database: Database, windows: ModelWindows, settings: ChatSettings) -> None:
        self._database = database
        self._windows = windows
        self._tokens_max = settings.history_tokens_max
        self._messages_max = settings.history_messages_max
        self._budgets: dict[str, Budget] = {}

    async def budget(self, spec: TurnSpec) -> Budget:
        """What the model can read beside its answer."""
        window = await self._windows.window(
            spec.principal, spec.model, answer_tokens_max=spec.options.get("max_tokens")
        )
        budget = Budget.of(window, tokens_max=self._tokens_max)
        if len(self._budgets) >= _REMEMBERED_MAX:
            self._budgets.clear()
        self._budgets[spec.model] = budget
        return budget

    async def read(self, spec: TurnSpec, budget: Budget, read: Read | None = None) -> BranchHistory:
        """The newest part of the branch, `read` when that has room enough; its oldest line may pass the
        budget.
        """
        if read is not None and read.bytes_max >= budget.bytes_max:
            return read.history
        async with self._database.transaction() as session:
            return await self._read(session, spec, budget)

    async def read_with(self, session: AsyncSession, spec: TurnSpec) -> Read | None:
        """What the model was last seen to need, read in the transaction that starts the turn; None when that
        is not known.

        Of many turns that start at once each would otherwise queue a second time for a connection, behind the
        starts of all others.
        """
        budget = self._budgets.get(spec.model)
        return None if budget is None else Read(await self._read(session, spec, budget), budget.bytes_max)

    async def _read(self, session: AsyncSession, spec: TurnSpec, budget: Budget) -> BranchHistory:
        return await messages.history(
            session,
            chat_id=spec.chat_id,
            leaf_id=spec.leaf_id,
            messages_max=self._messages_max,
            bytes_max=budget.bytes_max,
        )

    async def note_left_out(self, spec: TurnSpec, left_out: LeftOutEventData) -> None:
        """Store what the model does not see before the reply ends."""
        async with self._database.transaction() as session:
            await messages.note_left_out(
                session, chat_id=spec.chat_id, message_id=spec.message_id, left_out=left_out
            )
