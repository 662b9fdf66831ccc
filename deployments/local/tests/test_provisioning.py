"""Provisioning: safe to repeat, and each role may do exactly its part."""

from collections.abc import Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from atrium_local.addresses import RolePasswords, database_of, role_url
from atrium_local.errors import LocalError
from atrium_local.provision import EXTENSIONS, create_database, provision, provision_database, provision_roles
from atrium_local.services import SERVICES, Service, service_named

BILLING = service_named("billing-service")


@asynccontextmanager
async def connected(url: str):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def empty_url(postgres) -> str:
    return postgres.empty_database()


async def test_provisioning_twice_changes_nothing(empty_url: str) -> None:
    database = database_of(empty_url)
    await provision_database(empty_url, database, SERVICES)
    await provision_database(empty_url, database, SERVICES)
    async with connected(empty_url) as connection:
        schemas = {row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
        extensions = {row[0] for row in await connection.fetch("SELECT extname FROM pg_extension")}
    assert {service.schema for service in SERVICES} <= schemas
    assert set(EXTENSIONS) <= extensions


async def test_creating_a_database_that_exists_is_no_error(empty_url: str) -> None:
    await create_database(empty_url, database_of(empty_url))


async def test_new_passwords_replace_old_ones(postgres) -> None:
    service = Service("probe", "probe", "probe", 1, "PROBE_PORT", "PROBE_URL")
    first, second = RolePasswords.fresh(), RolePasswords.fresh()
    await provision_roles(postgres.admin_url, {service: first})
    await provision_roles(postgres.admin_url, {service: second})
    async with connected(
        role_url(postgres.admin_url, "postgres", role=service.app_role, password=second.app)
    ) as connection:
        assert await connection.fetchval("SHOW search_path") == "probe, public"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            role_url(postgres.admin_url, "postgres", role=service.app_role, password=first.app)
        )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE SCHEMA mine",
        "CREATE TABLE billing.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE EXTENSION pg_stat_statements",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE TEMPORARY TABLE mine (a int)",
        "SELECT * FROM pg_authid",
    ],
)
async def test_a_service_role_cannot_change_the_database(service_database: Callable, statement: str) -> None:
    database = service_database("billing-service")
    async with connected(database.admin_url) as connection:
        await connection.execute(f'REVOKE ALL ON DATABASE "{database.name}" FROM PUBLIC')
        await connection.execute(f'GRANT CONNECT ON DATABASE "{database.name}" TO billing_app, billing_owner')
    async with connected(database.app_url) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_a_service_role_reads_and_writes_what_its_owner_makes(service_database: Callable) -> None:
    database = service_database("billing-service")
    async with connected(database.owner_url) as owner:
        await owner.execute("CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY, a int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute("CREATE SCHEMA another")
    async with connected(database.app_url) as app:
        await app.execute("INSERT INTO thing (a) VALUES (1)")
        await app.execute("UPDATE thing SET a = 2")
        assert await app.fetchval("SELECT a FROM thing") == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("DROP TABLE thing")


async def test_a_service_role_sees_no_other_schema(service_database: Callable) -> None:
    database = service_database("billing-service")
    await provision_database(database.admin_url, database.name, [BILLING, service_named("chat-service")])
    async with connected(database.admin_url) as admin:
        await admin.execute("CREATE TABLE chat.secret (a int)")
    async with connected(database.app_url) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("SELECT * FROM chat.secret")


async def test_the_workflow_engine_has_its_tables_and_its_service_may_only_fill_them(
    service_database: Callable,
) -> None:
    database = service_database("agent-service")
    async with connected(database.app_url) as app:
        assert await app.fetchval("SELECT count(*) FROM agent_dbos.workflow_status") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE agent_dbos.mine (a int)")


async def test_a_server_that_is_away_is_named_in_one_line() -> None:
    with pytest.raises(LocalError, match="DATABASE_ADMIN_URL"):
        await provision("postgresql://postgres:x@127.0.0.1:9/atrium", {})


async def test_a_role_without_rights_is_told_so(service_database: Callable) -> None:
    database = service_database("billing-service")
    with pytest.raises(LocalError, match="must be a superuser"):
        await provision(database.app_url, {BILLING: RolePasswords.fresh()})
