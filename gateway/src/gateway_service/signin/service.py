"""The rules of sign-up, sign-in and passwords. Opens its own transactions, because hashing happens between
them.
"""

import hmac
from uuid import UUID

from pydantic import SecretStr
from shared.auth.permissions import Role
from shared.auth.principal import DEFAULT_ORGANISATION_ID, DEFAULT_TEAM_ID, Principal
from shared.clock import utc_now
from shared.db import Database
from shared.errors import Forbidden
from shared.ids import uuid7
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway_service.people import directory
from gateway_service.people import repository as people
from gateway_service.people.account import Account, AccountStatus
from gateway_service.settings import GatewaySettings
from gateway_service.signin import repository
from gateway_service.signin.errors import EmailTaken, SetupTokenWrong, SignInRefused, SignUpClosed
from gateway_service.signin.passwords import Passwords
from gateway_service.signin.schemas import AuthConfig, PasswordChange, SignIn, SignUp


class Accounts:
    """Makes people and checks who they are."""

    def __init__(self, *, database: Database, passwords: Passwords, settings: GatewaySettings) -> None:
        self._database = database
        self._passwords = passwords
        self._settings = settings

    async def config(self) -> AuthConfig:
        """What the sign-in page must know."""
        async with self._database.transaction() as db:
            empty = not await people.anyone_exists(db)
        return AuthConfig(
            name=self._settings.webui_name,
            signup_open=empty or self._settings.enable_signup,
            setup_required=empty,
            setup_token_required=empty and self._settings.asks_for_setup_token,
        )

    async def sign_up(self, form: SignUp) -> Account:
        """The new person; the very first becomes administrator.

        Raises:
            SignUpClosed, SetupTokenWrong, EmailTaken.
        """
        async with self._database.transaction() as db:
            await self._admitted_role(db, form.setup_token)
        password_hash = await self._passwords.hash(form.password.get_secret_value())
        try:
            async with self._database.transaction() as db:
                await repository.lock_signups(db)
                role = await self._admitted_role(db, form.setup_token)
                return await self._add(db, form, role=role, password_hash=password_hash)
        except IntegrityError:
            raise EmailTaken from None

    async def sign_in(self, form: SignIn) -> Account:
        """The person whose address and password these are. Raises: SignInRefused, Forbidden when
        suspended.
        """
        async with self._database.transaction() as db:
            found = await repository.credential_of(db, form.email)
        user_id, stored = found or (None, None)
        if (
            not await self._passwords.matches(stored, form.password.get_secret_value())
            or user_id is None
            or stored is None
        ):
            raise SignInRefused
        renewed = (
            await self._passwords.hash(form.password.get_secret_value())
            if self._passwords.outdated(stored)
            else None
        )
        async with self._database.transaction() as db:
            account = await directory.account(db, user_id)
            account.require_active()
            await people.touch_signin(db, user_id, now=utc_now())
            if renewed is not None:
                await repository.set_password(db, user_id, password_hash=renewed, now=utc_now())
        return account

    async def change_password(self, principal: Principal, form: PasswordChange) -> None:
        """Replaces the caller's password. Raises: SignInRefused on a wrong current one, Forbidden for API
        keys.
        """
        if principal.key_id is not None:
            raise Forbidden("an API key cannot change a password; sign in")
        async with self._database.transaction() as db:
            stored = await repository.password_of(db, principal.actor_id)
        if not await self._passwords.matches(stored, form.current_password.get_secret_value()):
            raise SignInRefused
        await self.set_password(principal.actor_id, form.new_password.get_secret_value())

    async def set_password(self, user_id: UUID, password: str) -> None:
        """Stores a new password without asking for the old one."""
        password_hash = await self._passwords.hash(password)
        async with self._database.transaction() as db:
            await repository.set_password(db, user_id, password_hash=password_hash, now=utc_now())

    async def account(self, user_id: UUID) -> Account:
        """The person as stored now. Raises: Unauthenticated when they are gone."""
        async with self._database.transaction() as db:
            return await directory.account(db, user_id)

    async def administrator(self, email: str | None) -> Account | None:
        """The person with this address, or the first administrator."""
        async with self._database.transaction() as db:
            user_id = await (
                people.first_admin_id(db) if email is None else people.id_of_email(db, email.lower())
            )
            return None if user_id is None else await people.account_of(db, user_id)

    async def _admitted_role(self, db: AsyncSession, setup_token: SecretStr | None) -> Role:
        if await people.anyone_exists(db):
            if not self._settings.enable_signup:
                raise SignUpClosed
            return Role(self._settings.signup_role)
        if self._settings.asks_for_setup_token and not self._is_setup_token(setup_token):
            raise SetupTokenWrong
        return Role.ADMIN

    def _is_setup_token(self, given: SecretStr | None) -> bool:
        expected = self._settings.setup_token
        if expected is None or given is None:
            return False
        return hmac.compare_digest(expected.get_secret_value().encode(), given.get_secret_value().encode())

    async def _add(self, db: AsyncSession, form: SignUp, *, role: Role, password_hash: str) -> Account:
        organisation = await directory.organisation(db, DEFAULT_ORGANISATION_ID)
        account = Account(
            id=uuid7(),
            organisation_id=organisation.id,
            email=form.email,
            name=form.name.strip(),
            role=role,
            status=AccountStatus.ACTIVE,
            team_ids=(DEFAULT_TEAM_ID,),
            usage_mode=organisation.usage_mode,
        )
        now = utc_now()
        await people.add(db, account, now=now)
        await repository.set_password(db, account.id, password_hash=password_hash, now=now)
        return account
