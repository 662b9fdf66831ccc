"""`python -m atrium_local migrate`: the database of an installation in containers.

DATABASE_ADMIN_URL names the server and the database; each service's roles get the passwords of
<SERVICE>_OWNER_PASSWORD and <SERVICE>_APP_PASSWORD.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from shared.db import Database, SchemaMismatchError, check_schema
from shared.errors import Unavailable
from shared.migrations import newest_revision
from shared.settings import environment
from shared.sql_functions import function_files

from atrium_local.adapters.sql import ServerStarting, SqlError, admin_connection
from atrium_local.addresses import RolePasswords, database_of, role_url, with_database
from atrium_local.errors import LocalError, WrongSettingsError, exit_status
from atrium_local.prepare import prepare_database
from atrium_local.services import SERVICES, Service, service_named
from atrium_local.settings import LocalSettings

_SERVER_WAIT_MAX_S = 60  # containers start together
_LOOK_S = 1.0
_SAY_S = 5.0
_NOT_YET = (SchemaMismatchError, Unavailable, SqlError, OSError)


def migrate(settings: LocalSettings) -> int:
    """Roles, database, schemas and extensions, then the migrations of every service. Safe to run again, and
    two at once wait for each other.

    Raises: LocalError.
    """
    admin_url = _admin_url(settings)
    variables = environment()
    names = [name for each in SERVICES for name in (each.owner_password_variable, each.app_password_variable)]
    if missing := [name for name in names if not variables.get(name)]:
        raise WrongSettingsError(
            f"{', '.join(missing)} must be set: `python -m atrium_local secrets` prints values for all."
        )
    passwords = {
        service: RolePasswords(
            owner=variables[service.owner_password_variable], app=variables[service.app_password_variable]
        )
        for service in SERVICES
    }
    asyncio.run(_server_answers(admin_url, time.monotonic() + _SERVER_WAIT_MAX_S))
    prepare_database(settings.clone_root, admin_url, passwords)
    print(f"The database {database_of(admin_url)} is ready: {len(SERVICES)} schemas.", flush=True)
    return 0


def wait(settings: LocalSettings, services: Collection[Service], *, wait_max_s: float) -> int:
    """Return when the schema of each service is as new as the migrations that lie here. For one service,
    DATABASE_URL is enough.

    Raises: LocalError when that takes longer than `wait_max_s`.
    """
    urls = {service: _app_url(settings, service, alone=len(services) == 1) for service in services}
    asyncio.run(_wait(settings.clone_root, urls, time.monotonic() + wait_max_s))
    return 0


async def _server_answers(admin_url: str, deadline: float) -> None:
    """Return when the server takes connections, or too late; what is wrong then is said by who needs it."""
    while time.monotonic() < deadline:
        try:
            async with admin_connection(with_database(admin_url, "postgres")):
                return
        except (OSError, ServerStarting) as error:
            print(f"waiting: the server of DATABASE_ADMIN_URL does not answer yet ({error})", flush=True)
            await asyncio.sleep(_SAY_S)


async def _wait(root: Path, urls: Mapping[Service, str], deadline: float) -> None:
    for service, url in urls.items():
        said_at = 0.0
        while (problem := await _problem(root / service.name, service, url)) is not None:
            now = time.monotonic()
            if now > deadline:
                raise LocalError(f"{problem}. Look at the log of `migrate`.")
            if now - said_at >= _SAY_S:
                print(f"waiting: {problem}", flush=True)
                said_at = now
            await asyncio.sleep(_LOOK_S)


async def _problem(service_root: Path, service: Service, url: str) -> str | None:
    """Why the service could not start on its schema yet."""
    database = Database(url, schema=service.schema, pool_max=1)
    try:
        await check_schema(
            database,
            service=service.name,
            code_version=newest_revision(service_root),
            functions=[path.stem for path in function_files(service_root)],
        )
    except _NOT_YET as error:
        return str(error).rstrip(".") or type(error).__name__
    finally:
        await database.dispose()
    return None


def _admin_url(settings: LocalSettings) -> str:
    if settings.database_admin_url is None:
        raise WrongSettingsError(
            "DATABASE_ADMIN_URL must be set: postgresql://user:password@host/database of a role that may "
            "make roles and extensions."
        )
    return settings.database_admin_url.get_secret_value()


def _app_url(settings: LocalSettings, service: Service, *, alone: bool) -> str:
    if alone and settings.database_url is not None:
        return settings.database_url.get_secret_value()
    admin_url = _admin_url(settings)
    password = environment().get(service.app_password_variable, "")
    if not password:
        raise WrongSettingsError(f"{service.app_password_variable} must be set to look at its schema.")
    return role_url(admin_url, database_of(admin_url), role=service.app_role, password=password)


def main() -> int:
    """The exit status; one line when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="atrium_local migrate",
        description="Prepare the database of DATABASE_ADMIN_URL, with role passwords from the environment.",
    )
    parser.add_argument("--wait", action="store_true", help="change nothing, wait until that is done")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that --wait waits at most")
    parser.add_argument("names", nargs="*", help="services that --wait looks at, by default all")
    arguments = parser.parse_args()

    def run() -> int:
        settings = LocalSettings()
        if not arguments.wait:
            return migrate(settings)
        services = [service_named(name) for name in arguments.names] or SERVICES
        return wait(settings, services, wait_max_s=arguments.timeout)

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
