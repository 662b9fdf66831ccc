"""Every permission and every role by name, and what each role may do."""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """Every permission by name; a route names exactly one."""

    ME_READ = "me:read"
    ME_WRITE = "me:write"
    KEYS_MANAGE = "keys:manage"
    CHATS_READ = "chats:read"
    CHATS_WRITE = "chats:write"
    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    AGENTS_RUN = "agents:run"
    CODE_EXECUTE = "code:execute"
    TOOLS_MANAGE = "tools:manage"
    MODELS_USE = "models:use"
    MODELS_READ = "models:read"
    USAGE_READ = "usage:read"
    USAGE_READ_ALL = "usage:read_all"
    PRICES_READ = "prices:read"
    PRICES_WRITE = "prices:write"
    WALLETS_READ = "wallets:read"
    WALLETS_WRITE = "wallets:write"
    BUDGETS_READ = "budgets:read"
    BUDGETS_WRITE = "budgets:write"
    LEDGER_READ = "ledger:read"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    AUDIT_READ = "audit:read"
    STATUS_READ = "status:read"


class Role(StrEnum):
    """Roles are permission sets, not a ladder."""

    ADMIN = "admin"
    ADMIN_READONLY = "admin-readonly"
    FINANCE = "finance"
    ORG_ADMIN = "org-admin"
    TEAM_ADMIN = "team-admin"
    USER = "user"
    PENDING = "pending"


P = Permission
_PENDING = frozenset({P.ME_READ, P.ME_WRITE})
_USER = _PENDING | {
    P.KEYS_MANAGE, P.CHATS_READ, P.CHATS_WRITE, P.FILES_READ, P.FILES_WRITE, P.AGENTS_READ, P.AGENTS_WRITE,
    P.AGENTS_RUN,
    P.CODE_EXECUTE, P.MODELS_USE, P.MODELS_READ, P.USAGE_READ, P.PRICES_READ, P.STATUS_READ,
}  # fmt: skip
_READS = frozenset({
    P.ME_READ, P.MODELS_READ, P.USAGE_READ, P.USAGE_READ_ALL, P.PRICES_READ, P.WALLETS_READ, P.BUDGETS_READ,
    P.LEDGER_READ,
    P.USERS_READ, P.AUDIT_READ, P.STATUS_READ,
})  # fmt: skip
ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    # Holds no write permission, not even on its own account, so that a leaked session changes nothing.
    Role.ADMIN_READONLY: _READS,
    Role.FINANCE: _USER
    | {
        P.USAGE_READ_ALL,
        P.PRICES_WRITE,
        P.WALLETS_READ,
        P.WALLETS_WRITE,
        P.BUDGETS_READ,
        P.BUDGETS_WRITE,
        P.LEDGER_READ,
        P.USERS_READ,
    },
    Role.ORG_ADMIN: _USER
    | {
        P.USAGE_READ_ALL,
        P.WALLETS_READ,
        P.BUDGETS_READ,
        P.BUDGETS_WRITE,
        P.LEDGER_READ,
        P.USERS_READ,
        P.USERS_WRITE,
        P.AUDIT_READ,
    },
    Role.TEAM_ADMIN: _USER | {P.USERS_READ},
    Role.USER: _USER,
    Role.PENDING: _PENDING,
}
