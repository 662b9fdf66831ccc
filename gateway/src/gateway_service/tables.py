"""The parent of the gateway's mapped classes."""

from shared.db import Base as SharedBase
from sqlalchemy import MetaData
from sqlalchemy.orm import registry


class Base(SharedBase):
    """Own metadata: other services have tables of the same names, and tests import them all into one process."""

    __abstract__ = True
    registry = registry(metadata=MetaData(naming_convention=SharedBase.metadata.naming_convention))
    metadata = registry.metadata
