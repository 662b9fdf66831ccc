"""What needs a database administrator: roles, the database, schemas, extensions, privileges. Safe to run
again at any time.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from atrium_local.adapters.sql import DUPLICATE_DATABASE, AdminConnection, SqlError, admin_connection
from atrium_local.addresses import RolePasswords, database_of, with_database
from atrium_local.errors import LocalError
from atrium_local.services import Service

EXTENSIONS = ("btree_gist", "pg_trgm", "unaccent", "vector", "citext")
_LOCK = 0x41747269756D  # "Atrium": two provisioners at once wait for each other


async def provision(admin_url: str, passwords: Mapping[Service, RolePasswords]) -> str:
    """Make everything the given services need and return the name of the database.

    Raises: LocalError when the server is out of reach or the role may not do it.
    """
    database = database_of(admin_url)
    try:
        await create_database(admin_url, database)
        await provision_roles(with_database(admin_url, database), passwords)
        await provision_database(admin_url, database, list(passwords))
    except (OSError, TimeoutError) as error:
        raise LocalError(
            f"The database server of DATABASE_ADMIN_URL does not answer ({error}): start it or correct the "
            "address."
        ) from error
    except SqlError as error:
        raise LocalError(
            f"The role of DATABASE_ADMIN_URL could not prepare the database: {error}. It must be a "
            "superuser or own these rights."
        ) from error
    return database


async def provision_roles(admin_url: str, passwords: Mapping[Service, RolePasswords]) -> None:
    """The two roles of each service, with exactly these passwords. Roles belong to the server, not to a
    database.
    """
    async with admin_connection(admin_url) as connection, connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        for service, secrets in passwords.items():
            await _ensure_role(connection, service.owner_role, secrets.owner)
            await _ensure_role(connection, service.app_role, secrets.app)
            for role in (service.owner_role, service.app_role):
                await connection.execute(f"ALTER ROLE {role} SET search_path = {service.schema}, public")


async def create_database(admin_url: str, database: str) -> None:
    """The database, when it is not there."""
    async with admin_connection(with_database(admin_url, "postgres")) as connection:
        if await connection.value("SELECT 1 FROM pg_database WHERE datname = $1", database):
            return
        with suppress(*DUPLICATE_DATABASE):  # another provisioner was faster
            await connection.execute(f'CREATE DATABASE "{database}"')


async def provision_database(admin_url: str, database: str, services: Iterable[Service]) -> None:
    """Extensions, schemas and privileges inside one database."""
    async with admin_connection(with_database(admin_url, database)) as connection, connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for extension in EXTENSIONS:
            await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public")
        for service in services:
            await _provision_schema(connection, database, service)


async def _ensure_role(connection: AdminConnection, role: str, password: str) -> None:
    rights = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
    verb = "ALTER" if await connection.value("SELECT 1 FROM pg_roles WHERE rolname = $1", role) else "CREATE"
    await connection.execute(f"{verb} ROLE {role} {rights} PASSWORD {_quoted(password)}")


async def _provision_schema(connection: AdminConnection, database: str, service: Service) -> None:
    owner, app, schema = service.owner_role, service.app_role, service.schema
    if not await connection.value("SELECT usesuper FROM pg_user WHERE usename = current_user"):
        await connection.execute(
            f"GRANT {owner} TO current_user"
        )  # a managed server's administrator may act only for roles it belongs to
    defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT"
    for statement in (
        f'GRANT CONNECT ON DATABASE "{database}" TO {owner}, {app}',
        f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}",
        f"GRANT USAGE ON SCHEMA {schema} TO {app}",
        f"{defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}",
        f"{defaults} USAGE, SELECT ON SEQUENCES TO {app}",
        f"{defaults} EXECUTE ON FUNCTIONS TO {app}",
    ):
        await connection.execute(statement)
    if service.durable:
        await connection.execute(
            f"CREATE SCHEMA IF NOT EXISTS {service.durable_schema} AUTHORIZATION {owner}"
        )


def _quoted(text: str) -> str:
    """A string literal; CREATE ROLE takes no parameters."""
    return "'" + text.replace("'", "''") + "'"
