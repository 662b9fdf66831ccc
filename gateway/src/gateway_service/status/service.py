"""Asks every service how it is, and what it offers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from shared.adapters.redis import RedisClient
from shared.clients.calls import ServiceCalls, parsed
from shared.clock import monotonic_s
from shared.db import Database
from shared.errors import Unavailable

from gateway_service.status.document import merge
from gateway_service.status.remembered import Remembered
from gateway_service.status.schemas import DependencyStatus, InstallationStatus, ServiceStatus

_STATUS_REMEMBERED_S = 2.0
_DOCUMENT_REMEMBERED_S = 30.0
_ANSWER_MAX_S = 2.0


class InstalledServices:
    """The services behind the gateway, by name, with the way to call each."""

    def __init__(
        self,
        *,
        services: Mapping[str, ServiceCalls],
        database: Database,
        redis: RedisClient | None = None,
        own_document: Callable[[], dict[str, Any]],
        version: str,
    ) -> None:
        self._services = dict(services)
        self._database = database
        self._redis = redis
        self._own_document = own_document
        self._version = version
        self._status = Remembered(self._ask_all, for_s=_STATUS_REMEMBERED_S)
        self._document = Remembered(self._collect_documents, for_s=_DOCUMENT_REMEMBERED_S)

    async def status(self) -> InstallationStatus:
        """The state of all services, at most two seconds old."""
        return await self._status.get()

    async def document(self) -> dict[str, Any]:
        """One OpenAPI document of the whole installation; services that are down are named in
        x-atrium-missing.
        """
        return await self._document.get()

    async def _ask_all(self) -> InstallationStatus:
        gateway, *others = await asyncio.gather(
            self._ask_database(), *(self._ask(calls) for calls in self._services.values())
        )
        services = {"gateway": gateway, **dict(zip(self._services, others, strict=True))}
        dependencies = {} if self._redis is None else {"redis": _status_of(self._redis)}
        return InstallationStatus(
            status=_overall(gateway, [*others, *dependencies.values()]),
            version=self._version,
            services=services,
            dependencies=dependencies,
        )

    async def _ask_database(self) -> ServiceStatus:
        started_s = monotonic_s()
        try:
            await asyncio.wait_for(self._database.ping(), _ANSWER_MAX_S)
        except (Unavailable, TimeoutError):
            return ServiceStatus(status="down", latency_ms=None)
        return ServiceStatus(status="ok", latency_ms=_ms_since(started_s))

    async def _ask(self, calls: ServiceCalls) -> ServiceStatus:
        started_s = monotonic_s()
        try:
            async with asyncio.timeout(_ANSWER_MAX_S):
                status, _ = await calls.exchange("GET", b"/readyz", None)
        except (Unavailable, TimeoutError):
            return ServiceStatus(status="down", latency_ms=None)
        return ServiceStatus(status="ok" if status == 200 else "down", latency_ms=_ms_since(started_s))

    async def _collect_documents(self) -> dict[str, Any]:
        found = await asyncio.gather(*(self._document_of(calls) for calls in self._services.values()))
        return merge(self._own_document(), dict(zip(self._services, found, strict=True)))

    async def _document_of(self, calls: ServiceCalls) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(_ANSWER_MAX_S):
                status, raw = await calls.exchange("GET", b"/openapi.json", None)
        except (Unavailable, TimeoutError):
            return None
        document = parsed(raw) if status == 200 else None
        return cast("dict[str, Any]", document) if isinstance(document, dict) else None


def _overall(
    gateway: ServiceStatus, others: Sequence[ServiceStatus | DependencyStatus]
) -> Literal["ok", "degraded", "down"]:
    if gateway.status == "down":
        return "down"
    return "ok" if all(each.status == "ok" for each in others) else "degraded"


def _status_of(redis: RedisClient) -> DependencyStatus:
    return DependencyStatus(status="down" if redis.is_away else "ok", last_success_at=redis.last_success_at)


def _ms_since(started_s: float) -> float:
    return round((monotonic_s() - started_s) * 1000, 1)
