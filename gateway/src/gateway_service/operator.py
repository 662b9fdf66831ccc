"""`python -m gateway_service.operator`: what an operator does without being signed in, directly on the database."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.db import Database, SchemaMismatchError, check_schema
from shared.errors import AppError
from shared.ids import random_secret
from shared.settings import load_settings_or_exit

from gateway_service.accounts.account import Account
from gateway_service.accounts.service import Accounts
from gateway_service.audit import service as audit
from gateway_service.audit.service import Act
from gateway_service.identity.changes import IdentityChanges
from gateway_service.identity.memory import IdentityMemory
from gateway_service.main import SCHEMA, open_database, passwords, user_tokens
from gateway_service.sessions.service import Device, Sessions
from gateway_service.settings import SCHEMA_VERSION, GatewaySettings

_PASSWORD_BYTES = 15


class NobodyFoundError(Exception):
    """There is no such person; the message says what to do."""


async def reset_password(settings: GatewaySettings, database: Database, email: str | None) -> str:
    """A new random password for the person, or for the first administrator. Ends their sessions. Returns what to print."""
    accounts, sessions = _services(settings, database)
    account = await _person(accounts, email)
    password = random_secret(_PASSWORD_BYTES)
    await accounts.set_password(account.id, password)
    await sessions.revoke_all(account.id, keep=None, reason="password_reset")
    async with database.transaction() as db:
        act = Act(action="user.password_reset", target_type="user", target_id=account.id, detail={})
        await audit.record(db, act, organisation_id=account.organisation_id, actor=None)
    return f"{account.email}\n{password}"


async def print_token(settings: GatewaySettings, database: Database, email: str | None) -> str:
    """An access token of the person, or of the first administrator, in a session of its own."""
    accounts, sessions = _services(settings, database)
    account = await _person(accounts, email)
    account.require_active()
    grant = await sessions.start(account.id, Device(user_agent="make token", address="local"))
    return sessions.access_token(account, grant.session_id)


def _services(settings: GatewaySettings, database: Database) -> tuple[Accounts, Sessions]:
    changes = IdentityChanges(IdentityMemory())
    accounts = Accounts(database=database, passwords=passwords(settings), changes=changes, settings=settings)
    return accounts, Sessions(database=database, tokens=user_tokens(settings), changes=changes, settings=settings)


async def _person(accounts: Accounts, email: str | None) -> Account:
    account = await accounts.administrator(email)
    if account is None:
        whom = f"nobody has the address {email}" if email else "there is no administrator yet"
        raise NobodyFoundError(f"{whom}; sign up in the browser first")
    return account


async def _run(command: str, email: str | None) -> str:
    settings = load_settings_or_exit(GatewaySettings)
    database = open_database(settings)
    try:
        await check_schema(database, service=SCHEMA, code_version=SCHEMA_VERSION)
        work = reset_password if command == "admin-password" else print_token
        return await work(settings, database, email)
    finally:
        await database.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 not possible."""
    parser = argparse.ArgumentParser(prog="python -m gateway_service.operator", description=__doc__)
    parser.add_argument("command", choices=("admin-password", "token"))
    parser.add_argument("--email", help="whose; the first administrator's when absent")
    chosen = parser.parse_args(arguments)
    try:
        sys.stdout.write(asyncio.run(_run(chosen.command, chosen.email)) + "\n")
    except (NobodyFoundError, SchemaMismatchError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except AppError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
