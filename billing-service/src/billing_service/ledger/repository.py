"""All SQL that reads the ledger."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing_service.ledger.schemas import LedgerEntry

_OF_ORGANISATION = "SELECT * FROM transfer WHERE organisation_id = :organisation_id"
# Fetched before they are ordered: the few entries of one transaction must not be looked for along all entries
# by age.
_OF_TRANSACTION = _OF_ORGANISATION + " AND transaction_id = :transaction_id"
_ENTRIES = (
    "WITH t AS {fence} ({source})"
    " SELECT t.id, t.at, d.kind AS debit, c.kind AS credit, t.debit_account, t.credit_account, t.amount_nano,"
    " t.reason, t.transaction_id"
    " FROM t JOIN account d ON d.id = t.debit_account JOIN account c ON c.id = t.credit_account {after} "
    "ORDER BY t.id DESC LIMIT :n"
)


async def entries(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    transaction_id: str | None,
    after_id: UUID | None,
    rows_max: int,
) -> list[LedgerEntry]:
    """Newest first; `transaction_id` narrows them to one dispatch, grant or top-up."""
    names: dict[str, object] = {"organisation_id": organisation_id, "n": rows_max}
    source, fence, after = _OF_ORGANISATION, "NOT MATERIALIZED", ""
    if transaction_id is not None:
        source, fence = _OF_TRANSACTION, "MATERIALIZED"
        names["transaction_id"] = transaction_id
    if after_id is not None:
        after = "WHERE t.id < :after_id"
        names["after_id"] = after_id
    query = _ENTRIES.format(source=source, fence=fence, after=after)
    rows = await session.execute(text(query), names)
    return [LedgerEntry.model_validate(row, from_attributes=True) for row in rows]
