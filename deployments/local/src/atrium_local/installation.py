"""Everything about one installation that its commands share: settings, folder, secrets and what
runs where.
"""

import signal
import sys
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from atrium_local.addresses import DEFAULT_DATABASE
from atrium_local.catalogue import EMBEDDING_MODEL
from atrium_local.credentials import Credentials
from atrium_local.environments import Environments
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.life import Answer, Life, Spec
from atrium_local.listeners import Listener
from atrium_local.passing import ENGINE
from atrium_local.postgres import PostgresServer, bin_directory
from atrium_local.probes import answers_http, http_health, postgres_health
from atrium_local.services import GATEWAY, SERVICES, Service
from atrium_local.settings import LocalSettings

POSTGRES = "postgres"
MODEL_SERVER = "model-server"
EMBEDDING_JOB = "embedding-model"
WRONG_SETTINGS = 2  # the exit status of a service whose settings cannot work
_DRAIN_S = 25
_STOP_PATIENCE_S = 30.0


def admin_url_of(settings: LocalSettings, credentials: Credentials) -> str | None:
    """The administrator's address; None when DATABASE_URL names a prepared database."""
    if settings.database_admin_url is not None:
        return settings.database_admin_url.get_secret_value()
    if settings.database_url is not None:
        return None
    password = credentials.postgres_password
    return f"postgresql://postgres:{password}@127.0.0.1:{settings.postgres_port}/{DEFAULT_DATABASE}"


@dataclass(slots=True)
class Installation:
    """What runs on one ATRIUM_HOME."""

    settings: LocalSettings
    home: Home
    credentials: Credentials
    environments: Environments

    @classmethod
    def open(cls, settings: LocalSettings) -> "Installation":
        """Make or read the folder, the secrets and the env files.

        Raises: LocalError.
        """
        home = Home(settings.atrium_home)
        home.prepare()
        credentials = Credentials.load(home.secrets)
        environments = Environments(settings, home, credentials, admin_url_of(settings, credentials))
        environments.write()
        return cls(settings, home, credentials, environments)

    @property
    def address(self) -> str:
        """Where people open Atrium: by a name that the gateway answers to."""
        named = self._named_hosts()
        if named and self.probe_host not in named:
            return (self.settings.public_url or f"http://{named[0]}:{self.settings.port}").rstrip("/")
        return f"http://{self.probe_host}:{self.settings.port}"

    @property
    def probe_host(self) -> str:
        """An address of the gateway that works from this machine."""
        return "127.0.0.1" if self.settings.host in {"0.0.0.0", "::", ""} else self.settings.host

    @property
    def called(self) -> str:
        """A Host header that the gateway answers to."""
        named = self._named_hosts()
        public = urlsplit(self.settings.public_url).netloc if self.settings.public_url else ""
        return named[0] if named else public or f"{self.probe_host}:{self.settings.port}"

    def _named_hosts(self) -> list[str]:
        """Those of TRUSTED_HOSTS; empty when any name, or the usual ones, are answered."""
        hosts = [host.strip() for host in self.settings.trusted_hosts.split(";") if host.strip()]
        return [] if "*" in hosts else hosts

    def postgres(self) -> PostgresServer:
        """The embedded server; nothing is started or written.

        Raises: LocalError when its programs are missing.
        """
        return PostgresServer(
            data_dir=self.home.database,
            port=self.settings.postgres_port,
            password=self.credentials.postgres_password,
            log_path=self.home.logs / f"{POSTGRES}.log",
            bin_dir=bin_directory(self.settings.pg_bin),
            throwaway=not self.settings.postgres_fsync,
        )

    def postgres_spec(self, server: PostgresServer) -> Spec:
        """How the embedded server is run: it shuts down cleanly even when its supervisor is killed."""

        async def ready(life: Life) -> bool:
            return life.pid is not None and server.answers_as(life.pid)

        async def health(_life: Life) -> Answer:
            return await postgres_health(server.port)

        return Spec(
            name=POSTGRES,
            command=server.command(),
            environment=partial(self.environments.child_base, ENGINE),
            cwd=self.home.root,
            log_path=server.log_path,
            port=server.port,
            ready=ready,
            health=health,
            before_start=server.prepare_start,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            stop_patience_s=_STOP_PATIENCE_S,
        )

    def model_spec(self) -> Spec:
        """How the model server is run. Ready means that its process works; the model's own state is in
        model.json.
        """
        port = self.settings.model_port

        async def ready(_life: Life) -> bool:
            return await answers_http(port, "/health")

        async def health(_life: Life) -> Answer:
            return await http_health(port, "/health")

        return Spec(
            name=MODEL_SERVER,
            command=[sys.executable, "-m", "atrium_local.model_server"],
            environment=self.environments.for_model,
            cwd=self.settings.clone_root,
            log_path=self.home.logs / f"{MODEL_SERVER}.log",
            port=port,
            ready=ready,
            health=health,
            stop_patience_s=5,
        )

    def embedding_spec(self) -> Spec:
        """The job that fetches the embedding model; it ends by itself."""
        return Spec(
            name=EMBEDDING_JOB,
            command=[sys.executable, "-m", "atrium_local.weights", EMBEDDING_MODEL],
            environment=self.environments.for_model,
            cwd=self.settings.clone_root,
            log_path=self.home.logs / f"{EMBEDDING_JOB}.log",
            port=None,
            ready=None,
            stop_patience_s=5,
            one_shot=True,
        )

    def listener(self, service: Service) -> Listener:
        """The sockets the service is reached by.

        Raises: LocalError when its port cannot be had.
        """
        host = self.settings.host if service is GATEWAY else "127.0.0.1"
        variable = "PORT" if service is GATEWAY else service.port_variable
        return Listener.open(service.name, host, self.settings.port_of(service), variable=variable)

    def service_specs(self, service: Service, listener: Listener) -> list[Spec]:
        """How each process of a service is run; all share its sockets."""
        count = self.settings.gateway_processes if service is GATEWAY else 1
        first = self._service_spec(service, service.name, listener)
        numbered = (f"{service.name}-{number}" for number in range(2, count + 1))
        return [first, *(self._service_spec(service, name, listener.sibling()) for name in numbered)]

    def _service_spec(self, service: Service, name: str, listener: Listener) -> Spec:
        """uvicorn, as a developer runs it, on sockets that outlive its process."""
        called = self.called if service is GATEWAY else None

        async def ready(life: Life) -> bool:
            return life.probe_port is not None and await answers_http(
                life.probe_port, "/readyz", called=called
            )

        async def health(life: Life) -> Answer:
            return (
                "bad"
                if life.probe_port is None
                else await http_health(life.probe_port, "/healthz", called=called)
            )

        return Spec(
            name=name,
            command=[sys.executable, "-m", "atrium_local.serve", "--drain", str(_DRAIN_S)],
            environment=partial(self.environments.for_service, service),
            cwd=self.settings.clone_root / service.name,
            log_path=self.home.logs / f"{name}.log",
            port=self.settings.port_of(service),
            ready=ready,
            health=health,
            stop_patience_s=_STOP_PATIENCE_S,
            listener=listener,
            exclusive=service.durable,  # runs and vectors have one owner
            wrong_settings_status=WRONG_SETTINGS,
        )

    def started_services(self) -> list[Service]:
        """The services to run, without those EXCEPT leaves out.

        Raises: LocalError for a name that is no service.
        """
        unknown = self.settings.left_out - {service.name for service in SERVICES}
        if unknown:
            names = ", ".join(service.name for service in SERVICES)
            raise LocalError(
                f"EXCEPT names {', '.join(sorted(unknown))}, which is no service: the services are {names}."
            )
        return [service for service in SERVICES if service.name not in self.settings.left_out]
