"""Wire models of the installation's state."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ServiceStatus(BaseModel):
    """Terse on purpose: strangers may read it."""

    status: Literal["ok", "down"]
    latency_ms: float | None = Field(description="of the readiness call; absent when nothing answered")


class DependencyStatus(BaseModel):
    """Something the gateway can work without for a while."""

    status: Literal["ok", "down"]
    last_success_at: datetime | None = Field(description="when it last answered; absent before that")


class InstallationStatus(BaseModel):
    """`degraded`: some service or dependency is down. `down`: the gateway itself cannot work."""

    status: Literal["ok", "degraded", "down"]
    version: str
    services: dict[str, ServiceStatus]
    dependencies: dict[str, DependencyStatus] = Field(
        default_factory=dict[str, DependencyStatus], description="`redis`, where REDIS_URL is set"
    )


class Alive(BaseModel):
    status: Literal["ok"] = "ok"
