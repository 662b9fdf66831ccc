"""Settings of the agent-service."""

from typing import ClassVar

from pydantic import Field
from shared.settings import ServiceSettings

SCHEMA_VERSION = 1


class AgentSettings(ServiceSettings):
    """What the agent-service reads beyond the common settings."""

    service: ClassVar[str] = "agent-service"

    port: int = Field(default=8002, ge=0, le=65535, description="port the service binds")
