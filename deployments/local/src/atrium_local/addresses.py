"""Database addresses: the same server for another role or database."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from shared.ids import random_secret

DEFAULT_DATABASE = "atrium"
_MAINTENANCE_DATABASES = {"", "postgres", "template1"}
_PASSWORD_BYTES = 24


@dataclass(frozen=True, slots=True)
class RolePasswords:
    """The passwords of a service's two roles."""

    owner: str
    app: str

    @classmethod
    def fresh(cls) -> "RolePasswords":
        """New random ones."""
        return cls(owner=random_secret(_PASSWORD_BYTES), app=random_secret(_PASSWORD_BYTES))


def role_url(admin_url: str, database: str, *, role: str, password: str) -> str:
    """The address of `database` on the administrator's server for another role; query parameters such as
    sslmode stay.
    """
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{host}", path=f"/{database}"))


def with_database(admin_url: str, database: str) -> str:
    """The administrator's address of another database on the same server."""
    return urlunsplit(urlsplit(admin_url)._replace(path=f"/{database}"))


def database_of(admin_url: str) -> str:
    """The database the suite lives in: the one the administrator's address names, else `atrium`."""
    name = urlsplit(admin_url).path.lstrip("/")
    return DEFAULT_DATABASE if name in _MAINTENANCE_DATABASES else name
