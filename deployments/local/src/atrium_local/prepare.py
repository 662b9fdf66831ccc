"""Provision and migrate, in a process of its own: the supervisor stays small, and a Job can run the same
thing.

`python -m atrium_local.prepare` reads DATABASE_ADMIN_URL, else DATABASE_URL, else the embedded server of
ATRIUM_HOME.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from alembic.util import CommandError
from shared.migrations import upgrade
from sqlalchemy.exc import SQLAlchemyError

from atrium_local.addresses import RolePasswords, role_url
from atrium_local.credentials import Credentials
from atrium_local.environments import Environments
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.installation import admin_url_of
from atrium_local.provision import provision
from atrium_local.services import SERVICES, Service
from atrium_local.settings import LocalSettings


def prepare(settings: LocalSettings) -> None:
    """Roles, schemas and extensions where an administrator's address is known, then every service's
    migrations.

    Raises: LocalError.
    """
    home = Home(settings.atrium_home)
    credentials = Credentials.load(home.secrets)
    admin_url = admin_url_of(settings, credentials)
    environments = Environments(settings, home, credentials, admin_url)
    if admin_url is None:
        migrate_services(settings.clone_root, environments.owner_url)
    else:
        passwords = {service: credentials.role_passwords(service) for service in SERVICES}
        prepare_database(settings.clone_root, admin_url, passwords)


def prepare_database(root: Path, admin_url: str, passwords: Mapping[Service, RolePasswords]) -> None:
    """Provision, then migrate each service as its schema's owner; `root` holds the services' folders.

    Raises: LocalError.
    """
    database = asyncio.run(provision(admin_url, passwords))
    migrate_services(
        root,
        lambda service: role_url(
            admin_url, database, role=service.owner_role, password=passwords[service].owner
        ),
    )


def migrate_services(root: Path, owner_url: Callable[[Service], str]) -> None:
    """The migrations of every service. Raises: LocalError."""
    for service in SERVICES:
        try:
            upgrade(root / service.name, owner_url(service))
        except (CommandError, SQLAlchemyError) as error:
            reason = str(error).splitlines()[0]
            raise LocalError(
                f"The migrations of {service.name} failed: {reason}. The data is as it was before this "
                "revision."
            ) from error


def main() -> int:
    """The exit status: 1 with one line when something is wrong."""
    try:
        prepare(LocalSettings())
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
