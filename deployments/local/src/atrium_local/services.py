"""The suite's processes by name: the one table the supervisor, the provisioner and the generators read."""

from dataclasses import dataclass

from atrium_local.errors import LocalError


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the suite and what it is called where."""

    name: str  # "billing-service", also its folder in the clone
    package: str
    schema: str
    port: int
    port_variable: str
    url_variable: str
    durable: bool = False  # runs durable workflows, which keep their own tables beside the service's

    @property
    def durable_schema(self) -> str:
        """The schema of the workflow engine's tables."""
        return f"{self.schema}_dbos"

    @property
    def owner_role(self) -> str:
        """The role migrations run as."""
        return f"{self.schema}_owner"

    @property
    def app_role(self) -> str:
        """The role the service runs as: reads and writes rows, changes no table."""
        return f"{self.schema}_app"

    @property
    def owner_password_variable(self) -> str:
        """The variable that carries the owner role's password to containers."""
        return f"{self.schema.upper()}_OWNER_PASSWORD"

    @property
    def app_password_variable(self) -> str:
        """The variable that carries the app role's password to containers."""
        return f"{self.schema.upper()}_APP_PASSWORD"

    @property
    def signing_key_variable(self) -> str:
        """The variable that carries the key of the service's own calls to containers, where one file holds
        the keys of all; the service itself reads SERVICE_SIGNING_KEY.
        """
        return f"{self.schema.upper()}_SIGNING_KEY"


def _service(stem: str, port: int, *, durable: bool = False) -> Service:
    name = f"{stem}-service"
    return Service(
        name=name,
        package=f"{stem}_service",
        schema=stem,
        port=port,
        port_variable=f"{stem.upper()}_SERVICE_PORT",
        url_variable=f"{stem.upper()}_SERVICE_URL",
        durable=durable,
    )


GATEWAY = Service(
    name="gateway",
    package="gateway_service",
    schema="gateway",
    port=8000,
    port_variable="GATEWAY_PORT",
    url_variable="GATEWAY_URL",
)
SERVICES: tuple[Service, ...] = (
    GATEWAY,
    _service("inference", 8001),
    _service("agent", 8002, durable=True),
    _service("retrieval", 8003, durable=True),
    _service("chat", 8004),
    _service("billing", 8005),
)


def service_named(name: str) -> Service:
    """The service called `name`.

    Raises: LocalError naming the services there are.
    """
    for service in SERVICES:
        if service.name == name:
            return service
    raise LocalError(
        f"There is no service {name!r}: the services are {', '.join(service.name for service in SERVICES)}."
    )
