"""Gathers the acts that services recorded in the one audit log."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from shared.clients.calls import ServiceCalls
from shared.clock import utc_now
from shared.contracts.audit import AuditRecorded
from shared.db import Database
from shared.errors import AppError
from shared.ids import made_at, uuid7_floor
from shared.pagination import Page

from gateway_service.audit import repository

LOOK_S = 5.0
_OVERLAP = timedelta(minutes=10)
"""An id is made before its transaction commits: one that is older than the newest known may still come."""
_PAGE_MAX = 100

log = logging.getLogger(__name__)


class AuditCollector:
    """Reads on in each service's own record, and adds each act once. Any number of processes may have one.

    What is older than `keep` is not asked for: it would be deleted again.
    """

    def __init__(self, database: Database, services: Mapping[str, ServiceCalls], *, keep: timedelta) -> None:
        self._database = database
        self._services = dict(services)
        self._keep = keep
        self._away = set[str]()
        self._read: dict[str, UUID] = {}

    async def run(self) -> None:
        """Add what is new. A service that does not answer, or is too old for the question, is asked again."""
        for service, calls in self._services.items():
            try:
                await self._collect(service, calls)
                self._away.discard(service)
            except AppError as error:
                if service not in self._away:
                    log.warning(
                        "acts of a service cannot be read; they are asked for again",
                        extra={"of": service, "code": error.code},
                    )
                self._away.add(service)

    async def _collect(self, service: str, calls: ServiceCalls) -> None:
        after = await self._start(service)
        while True:
            target = f"/internal/v1/audit?limit={_PAGE_MAX}&after={after}"
            page = await calls.call_for(Page[AuditRecorded], "GET", target, None)
            if not page.data:
                return
            self._read[service] = page.data[-1].id
            async with self._database.transaction() as db:
                await repository.add_recorded(db, service, [_columns(service, act) for act in page.data])
            if not page.has_more:
                return
            after = page.data[-1].id

    async def _start(self, service: str) -> UUID:
        async with self._database.transaction() as db:
            newest = await repository.newest_of(db, service)
        # What was read last may be newer than what is known: acts of strangers are passed over.
        known = [each for each in (newest, self._read.get(service)) if each is not None]
        oldest_kept = uuid7_floor(utc_now() - self._keep)
        return max([oldest_kept, *(uuid7_floor(made_at(each) - _OVERLAP) for each in known)])


def _columns(service: str, act: AuditRecorded) -> dict[str, Any]:
    """The act as a row of the audit log. A target that has no UUID gets one made from its name."""
    target_type = act.action.partition(".")[0]
    try:
        target_id = UUID(act.subject)
    except ValueError:
        target_id = uuid5(NAMESPACE_OID, f"{service}/{target_type}/{act.subject}")
    return {
        "id": act.id,
        "organisation_id": act.organisation_id,
        "actor_id": act.actor_id,
        "action": act.action,
        "target_type": target_type,
        "target_id": target_id,
        "detail": {"subject": act.subject, "before": act.before, "after": act.after},
        "created_at": act.at,
    }
