"""Which changes the audit trail records."""

from typing import Literal

AuditAction = Literal["price.set", "budget.set", "budget.deleted", "wallet.topped_up", "usage.recorded"]
