"""Wire models of the installation's state."""

from typing import Literal

from pydantic import BaseModel, Field


class ServiceStatus(BaseModel):
    """Terse on purpose: strangers may read it."""

    status: Literal["ok", "down"]
    latency_ms: float | None = Field(description="of the readiness call; absent when nothing answered")


class InstallationStatus(BaseModel):
    """`degraded`: some service is down. `down`: the gateway itself cannot work."""

    status: Literal["ok", "degraded", "down"]
    version: str
    services: dict[str, ServiceStatus]


class Alive(BaseModel):
    status: Literal["ok"] = "ok"
