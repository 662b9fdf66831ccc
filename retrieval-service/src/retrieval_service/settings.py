"""Settings of the retrieval-service."""

from typing import ClassVar

from pydantic import Field
from shared.settings import ServiceSettings

SCHEMA_VERSION = 2


class RetrievalSettings(ServiceSettings):
    """What the retrieval-service reads beyond the common settings."""

    service: ClassVar[str] = "retrieval-service"

    port: int = Field(default=8003, ge=0, le=65535, description="port the service binds")
