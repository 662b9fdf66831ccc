"""Everything about one installation that its commands share: settings, folder, secrets and what runs where."""

import errno
import signal
import socket
import sys
from dataclasses import dataclass

from atrium_local.addresses import DEFAULT_DATABASE
from atrium_local.catalogue import EMBEDDING_MODEL
from atrium_local.credentials import Credentials
from atrium_local.environments import Environments
from atrium_local.errors import LocalError
from atrium_local.home import Home
from atrium_local.postgres import PostgresServer, bin_directory
from atrium_local.probes import answers_http
from atrium_local.services import GATEWAY, SERVICES, Service
from atrium_local.settings import LocalSettings
from atrium_local.supervised import Spec

POSTGRES = "postgres"
MODEL_SERVER = "model-server"
EMBEDDING_JOB = "embedding-model"
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
        """Where people open Atrium."""
        return f"http://{self.probe_host}:{self.settings.port}"

    @property
    def probe_host(self) -> str:
        """An address of the gateway that works from this machine."""
        return "127.0.0.1" if self.settings.host in {"0.0.0.0", "::", ""} else self.settings.host

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

        async def ready(pid: int) -> bool:
            return server.answers_as(pid)

        return Spec(
            name=POSTGRES,
            command=server.command(),
            environment=None,
            cwd=self.home.root,
            log_path=server.log_path,
            port=server.port,
            ready=ready,
            before_start=server.prepare_start,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            stop_patience_s=_STOP_PATIENCE_S,
        )

    def model_spec(self) -> Spec:
        """How the model server is run. Ready means that its process works; the model's own state is in model.json."""
        port = self.settings.model_port

        async def ready(_pid: int) -> bool:
            return await answers_http(port, "/health")

        return Spec(
            name=MODEL_SERVER,
            command=[sys.executable, "-m", "atrium_local.model_server"],
            environment=self.environments.for_model(),
            cwd=self.settings.clone_root,
            log_path=self.home.logs / f"{MODEL_SERVER}.log",
            port=port,
            ready=ready,
            stop_patience_s=5,
        )

    def embedding_spec(self) -> Spec:
        """The job that fetches the embedding model; it ends by itself."""
        return Spec(
            name=EMBEDDING_JOB,
            command=[sys.executable, "-m", "atrium_local.weights", EMBEDDING_MODEL],
            environment=self.environments.for_model(),
            cwd=self.settings.clone_root,
            log_path=self.home.logs / f"{EMBEDDING_JOB}.log",
            port=None,
            ready=None,
            stop_patience_s=5,
            one_shot=True,
        )

    def service_spec(self, service: Service) -> Spec:
        """How a service is run: the same uvicorn command a developer types."""
        port = self.settings.port_of(service)
        host = self.settings.host if service is GATEWAY else "127.0.0.1"
        probe_host = self.probe_host if service is GATEWAY else "127.0.0.1"

        async def ready(_pid: int) -> bool:
            return await answers_http(port, "/readyz", host=probe_host)

        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--host", host, "--port", str(port)]
        options = ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", str(_DRAIN_S)]
        return Spec(
            name=service.name,
            command=[*command, *options],
            environment=self.environments.for_service(service),
            cwd=self.settings.clone_root / service.name,
            log_path=self.home.logs / f"{service.name}.log",
            port=port,
            ready=ready,
            stop_patience_s=_STOP_PATIENCE_S,
        )

    def started_services(self) -> list[Service]:
        """The services to run, without those EXCEPT leaves out.

        Raises: LocalError for a name that is no service.
        """
        unknown = self.settings.left_out - {service.name for service in SERVICES}
        if unknown:
            names = ", ".join(service.name for service in SERVICES)
            raise LocalError(f"EXCEPT names {', '.join(sorted(unknown))}, which is no service: the services are {names}.")
        return [service for service in SERVICES if service.name not in self.settings.left_out]


def check_port(host: str, port: int, *, owner: str, variable: str) -> None:
    """Raises: LocalError when another program listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LocalError(f"Port {port} for {owner} is in use: stop the program that has it, or set {variable}.") from error
            raise LocalError(f"Cannot bind {host}:{port} for {owner} ({error.strerror}): correct HOST or {variable}.") from error
