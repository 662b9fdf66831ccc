"""All SQL that reads the ledger."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.ledger.models import EntryRow

_ENTRIES = text(
    "SELECT t.id, t.at, d.kind AS debit, c.kind AS credit, t.debit_account, t.credit_account, t.amount_nano, t.reason, t.transaction_id"
    " FROM transfer t JOIN account d ON d.id = t.debit_account JOIN account c ON c.id = t.credit_account"
    " WHERE t.organisation_id = :organisation_id AND (CAST(:transaction_id AS text) IS NULL OR t.transaction_id = :transaction_id)"
    " AND (CAST(:after_id AS uuid) IS NULL OR t.id < :after_id) ORDER BY t.id DESC LIMIT :n"
)


async def entries(
    session: AsyncSession, organisation_id: UUID, *, transaction_id: str | None, after_id: UUID | None, rows_max: int
) -> list[EntryRow]:
    """Newest first."""
    names = {"organisation_id": organisation_id, "transaction_id": transaction_id, "after_id": after_id, "n": rows_max}
    return [EntryRow(*row) for row in await session.execute(_ENTRIES, names)]
