"""The settings each process gets: files that a service started by hand reads too, and the environment of
children.
"""

from shared.settings import environment

from atrium_local.addresses import database_of, role_url
from atrium_local.catalogue import EMBEDDING_MODEL
from atrium_local.credentials import Credentials
from atrium_local.dotenv import read_dotenv, render_dotenv
from atrium_local.files import write_private
from atrium_local.home import Home
from atrium_local.passing import MODEL, passed
from atrium_local.services import GATEWAY, SERVICES, Service
from atrium_local.settings import LocalSettings

_PER_PROCESS = ("HOST", "PORT", "GATEWAY_PORT", "EXCEPT")
_PROVIDER_KEYS = ("OPENAI_API_KEYS", "OPENAI_API_KEY")
_HEADER = "# Written at each start; put settings of your own into {own}, which wins over this file.\n"


class Environments:
    """What every process is told, from the settings and the secrets of this installation."""

    def __init__(
        self, settings: LocalSettings, home: Home, credentials: Credentials, admin_url: str | None
    ) -> None:
        self._settings = settings
        self._home = home
        self._credentials = credentials
        self._admin_url = admin_url  # None: DATABASE_URL names a prepared database

    def write(self) -> None:
        """The env files of all services, readable by this user only."""
        for service in SERVICES:
            own = self._home.env / f"{service.name}.local.env"
            text = _HEADER.format(own=own.name) + render_dotenv(
                {**self.service_values(service), **read_dotenv(own)}
            )
            write_private(self._home.env / f"{service.name}.env", text)
            write_private(
                self._home.env / f"{service.name}.migrate.env",
                render_dotenv({"DATABASE_URL": self.owner_url(service)}),
            )

    def service_values(self, service: Service) -> dict[str, str]:
        """The settings of one service that follow from this installation."""
        values = {
            "DATABASE_URL": self.app_url(service),
            "SERVICE_SIGNING_KEY": self._credentials.signing_key(service),
            "TOKEN_JWKS": self._credentials.jwks(),
            "PORT": str(self._settings.port_of(service)),
            **{other.url_variable: f"http://127.0.0.1:{self._settings.port_of(other)}" for other in SERVICES},
        }
        if service is GATEWAY:
            values |= self._gateway_values()
        if service.name == "inference-service":
            values |= self._inference_values()
        if service.name in {"inference-service", "retrieval-service"}:
            values["EMBEDDING_MODEL_PATH"] = str(
                self._settings.embedding_model_path or self._home.root / "models" / EMBEDDING_MODEL
            )
        return values

    def _gateway_values(self) -> dict[str, str]:
        token = (
            self._settings.setup_token.get_secret_value()
            if self._settings.setup_token
            else self._credentials.setup_token
        )
        values = {
            "HOST": self._settings.host,
            "USER_SIGNING_KEY": self._credentials.user_signing_key,
            "SETUP_TOKEN": token,
        }
        if any(environment().get(name) for name in _PROVIDER_KEYS):
            values["PAID_PROVIDERS"] = "true"
        if "PUBLIC_URL" in environment() or "WEBUI_URL" in environment():
            return values
        return values | {"PUBLIC_URL": f"http://{_reachable(self._settings.host)}:{self._settings.port}"}

    def _inference_values(self) -> dict[str, str]:
        if self._settings.local_model_url is not None:
            return {"LOCAL_MODEL_URL": self._settings.local_model_url}
        if not self._settings.runs_model:
            return {"LOCAL_MODEL_URL": "off"}
        return {
            "LOCAL_MODEL_URL": f"http://127.0.0.1:{self._settings.model_port}",
            "LOCAL_MODEL_API_KEY": self._credentials.local_model_api_key,
            "LOCAL_MODEL_STATUS_PATH": str(self._home.model_status),
            "LOCAL_MODEL_ID": self._settings.model_id,
        }

    def app_url(self, service: Service) -> str:
        """Database address the service runs with."""
        return self._database_url(service.app_role, self._credentials.role_passwords(service).app)

    def owner_url(self, service: Service) -> str:
        """Database address its migrations run with."""
        return self._database_url(service.owner_role, self._credentials.role_passwords(service).owner)

    def _database_url(self, role: str, password: str) -> str:
        if self._admin_url is not None:
            return role_url(self._admin_url, database_of(self._admin_url), role=role, password=password)
        return self._settings.database_url.get_secret_value() if self._settings.database_url else ""

    def child_base(self, to: str) -> dict[str, str]:
        """The part of our own environment that `to` gets; see passing.py.

        Where the shell forbids bytecode beside the sources, children keep it in the cache: without any, six
        processes compile the same libraries at every start, which takes longer than all the rest of it.
        """
        base = passed(environment(), to=to)
        if base.pop("PYTHONDONTWRITEBYTECODE", None) is not None:
            base.setdefault("PYTHONPYCACHEPREFIX", str(self._settings.weights_dir / "bytecode"))
        return base

    def for_service(self, service: Service) -> dict[str, str]:
        """The whole environment of the service's process: ours, less what belongs to one process, plus its
        own file.
        """
        inherited = {
            name: value for name, value in self.child_base(service.name).items() if name not in _PER_PROCESS
        }
        if self._admin_url is not None:
            inherited.pop("DATABASE_URL", None)  # each service has its own role
        own = read_dotenv(self._home.env / f"{service.name}.local.env")
        fixed = {
            "ATRIUM_HOME": str(self._home.root),
            "PORT": str(self._settings.port_of(service)),
            "PYTHONUNBUFFERED": "1",
        }
        fixed["HOST"] = self._settings.host if service is GATEWAY else "127.0.0.1"
        return {**inherited, **own, **fixed}

    def for_model(self) -> dict[str, str]:
        """The environment of the model server."""
        return {
            **self.child_base(MODEL),
            "ATRIUM_HOME": str(self._home.root),
            "MODEL_PORT": str(self._settings.model_port),
            "LOCAL_MODEL_API_KEY": self._credentials.local_model_api_key,
            "LOCAL_MODEL_STATUS_PATH": str(self._home.model_status),
            "PYTHONUNBUFFERED": "1",
        }


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host
