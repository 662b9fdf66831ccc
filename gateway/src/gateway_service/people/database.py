"""The gateway's schema: its engine and the parent of its mapped classes."""

from shared.db import Base as SharedBase
from shared.db import Database
from sqlalchemy import MetaData
from sqlalchemy.orm import registry

from gateway_service.settings import GatewaySettings


class Base(SharedBase):
    """Own metadata: other services have tables of the same names, and tests import them all into
    one process.
    """

    __abstract__ = True
    registry = registry(metadata=MetaData(naming_convention=SharedBase.metadata.naming_convention))
    metadata = registry.metadata


def open_database(settings: GatewaySettings) -> Database:
    """The engine over the gateway's schema; it connects on first use."""
    return Database(
        settings.database_url.get_secret_value(), schema=settings.service, pool_max=settings.database_pool_max
    )
