"""Reads the ledger of one organisation."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.ledger import repository
from billing_service.ledger.models import EntryRow


async def entries(
    session: AsyncSession, organisation_id: UUID, *, transaction_id: str | None, after_id: UUID | None, rows_max: int
) -> list[EntryRow]:
    """Transfers, newest first; `transaction_id` narrows them to one dispatch, grant or top-up."""
    return await repository.entries(session, organisation_id, transaction_id=transaction_id, after_id=after_id, rows_max=rows_max)
