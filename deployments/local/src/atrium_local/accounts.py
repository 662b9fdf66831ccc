"""`make token` and `make admin-password`: the gateway's own operator commands, run with the gateway's
settings.
"""

import subprocess
import sys

from atrium_local.environments import Environments
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.installation import Installation
from atrium_local.services import GATEWAY
from atrium_local.settings import LocalSettings

_OPERATOR_MODULE = "gateway_service.operator"


def token(settings: LocalSettings, *, email: str | None) -> int:
    """Print a token of the first administrator, or of the person with this address."""
    return _run(settings, "token", email)


def admin_password(settings: LocalSettings, *, email: str | None) -> int:
    """Print a new password of the first administrator, or of the person with this address."""
    return _run(settings, "admin-password", email)


def _run(settings: LocalSettings, command: str, email: str | None) -> int:
    if not Home(settings.atrium_home).secrets.exists():
        raise LocalError("There is no installation yet: `make run` makes one.")
    environments: Environments = Installation.open(settings).environments
    chosen = ["--email", email] if email else []
    done = subprocess.run(
        [sys.executable, "-m", _OPERATOR_MODULE, command, *chosen],
        cwd=settings.clone_root / GATEWAY.name,
        env=environments.for_service(GATEWAY),
        check=False,
    )
    return done.returncode
