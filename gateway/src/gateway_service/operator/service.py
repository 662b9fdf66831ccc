"""What an operator does directly on the database."""

from shared.db import Database
from shared.ids import random_secret

from gateway_service.audit import service as audit
from gateway_service.audit.service import Act
from gateway_service.identity.changes import IdentityChanges
from gateway_service.identity.memory import IdentityMemory
from gateway_service.people.account import Account
from gateway_service.sessions.service import Device, Sessions
from gateway_service.sessions.tokens import user_tokens
from gateway_service.settings import GatewaySettings
from gateway_service.signin.passwords import Passwords
from gateway_service.signin.service import Accounts

_PASSWORD_BYTES = 15


class NobodyFoundError(Exception):
    """There is no such person; the message says what to do."""


async def reset_password(settings: GatewaySettings, database: Database, email: str | None) -> str:
    """A new random password for the person, or for the first administrator. Ends their sessions. Returns what
    to print.
    """
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
    accounts = Accounts(database=database, passwords=Passwords.of(settings), settings=settings)
    return accounts, Sessions(
        database=database, tokens=user_tokens(settings), changes=changes, settings=settings
    )


async def _person(accounts: Accounts, email: str | None) -> Account:
    account = await accounts.administrator(email)
    if account is None:
        whom = f"nobody has the address {email}" if email else "there is no administrator yet"
        raise NobodyFoundError(f"{whom}; sign up in the browser first")
    return account
