"""Which models billing can charge for: asked now and then for the model picker, never needed to serve a
request.
"""

import time

from shared.auth.principal import Principal
from shared.clients.billing import BillingClient
from shared.errors import AppError

_KEEP_S = 30.0


class PriceList:
    """Names of the priced models, at most 30 s old; None while billing has not answered."""

    def __init__(self, billing: BillingClient) -> None:
        self._billing = billing
        self._names: frozenset[str] | None = None
        self._due_s = 0.0

    def knows(self, model_id: str) -> bool | None:
        return None if self._names is None else model_id in self._names

    async def refresh(self, principal: Principal) -> None:
        """Ask again when the list is old. A failure keeps the old list: the picker must work
        without billing.
        """
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + _KEEP_S
        try:
            self._names = await self._billing.priced_models(principal)
        except (AppError, ValueError, KeyError, TypeError):
            self._due_s = now_s + 1
