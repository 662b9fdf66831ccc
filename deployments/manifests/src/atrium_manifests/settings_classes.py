"""The settings classes of the suite, found by the table of services."""

import importlib

from atrium_local.services import Service
from shared.settings import ServiceSettings


def settings_class(service: Service) -> type[ServiceSettings]:
    """The one settings class of a service."""
    module = importlib.import_module(f"{service.package}.settings")
    (found,) = (
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, ServiceSettings) and item.__module__ == module.__name__
    )
    return found
