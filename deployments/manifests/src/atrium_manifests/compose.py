"""deployments/docker-compose.yml: the table of containers as one machine runs them with Docker Compose.

Secrets come from `deployments/.env`, which `make compose-env` writes; a service's further settings from
`deployments/<service>.env`, where there is one.
"""

from typing import Any

from atrium_local.services import GATEWAY, SERVICES
from shared.operations import VERSION

from atrium_manifests.containers import CONTAINERS, container_named
from atrium_manifests.objects import dump
from atrium_manifests.secret_values import redis_url, secret_name
from atrium_manifests.shapes import Container, Folder, ProcessCheck
from atrium_manifests.stores import DATABASE, POSTGRES, QDRANT

OPTIONAL = ("adminer", "ollama", "litellm", "lago", "langfuse", "observability")
"""Further stacks, each a file compose/<name>.yml with a profile of the same name."""

_HEADING = (
    "Written by `make generate` from deployments/manifests.",
    "The whole suite on one machine:",
    "  make compose-env                             secrets, once, into deployments/.env",
    "  cd deployments && docker compose up -d",
    "deployments/.env.example says what else can be set there; further settings of one service go into",
    f"deployments/<service>.env. Further stacks, each with --profile: {', '.join(OPTIONAL)}.",
)
_MISSING = "run `make compose-env` at the root of the clone"
_STARTS_QUICKLY_S = 600  # what takes longer, a download, is not waited for
_PIDS_MAX = 1024
_LOG = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
_OF_THE_INSTALLATION = {
    "ENV": "${ATRIUM_ENV:-prod}",
    "PUBLIC_URL": "${PUBLIC_URL:-http://127.0.0.1:8000}",
}
_OPTIONAL_SETTINGS = {  # by the variable of `.env` that they are taken from
    "OPENAI_API_BASE_URLS": "OPENAI_API_BASE_URLS",
    "OLLAMA_BASE_URLS": "OLLAMA_BASE_URLS",
    "ATRIUM_MODEL": "ATRIUM_MODEL",
    "LOCAL_MODEL_ID": "ATRIUM_MODEL",
    "DEFAULT_MODEL": "ATRIUM_MODEL",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "OTEL_EXPORTER_OTLP_ENDPOINT",
}


def compose_text() -> str:
    """The file."""
    document: dict[str, Any] = {
        "name": "atrium",
        "include": [{"path": f"compose/{name}.yml", "project_directory": "."} for name in OPTIONAL],
        "services": {container.name: _service(container) for container in CONTAINERS},
        "volumes": {
            _volume(container, folder): dict[str, str]()
            for container in CONTAINERS
            for folder in container.folders
            if folder.lasting
        },
    }
    return dump([document], _HEADING)


def prometheus_text() -> str:
    """deployments/observability/prometheus.yml: every process that has figures, by its name."""
    targets = {
        container.name: f"{container.name}:{_metrics_port(container)}"
        for container in CONTAINERS
        if container.schema
    }
    document: dict[str, Any] = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in targets.items()
        ],
    }
    return dump([document], _HEADING[:1])


def _metrics_port(container: Container) -> int:
    return container.port("metrics" if "metrics" in {port.name for port in container.ports} else "http")


def _service(container: Container) -> dict[str, Any]:
    fields: dict[str, Any] = {**_image(container), **_command(container)}
    fields["user"] = f"{container.user}:{_group(container)}"
    if environment := _environment(container):
        fields["environment"] = environment
    if container.settings is not None:
        fields["env_file"] = [{"path": f"{container.name}.env", "required": False}]
    if container.name == GATEWAY.name:
        address = "${GATEWAY_ADDRESS:-127.0.0.1}"
        fields["ports"] = [f"{address}:${{GATEWAY_PORT:-{GATEWAY.port}}}:{GATEWAY.port}"]
    if depends_on := _depends_on(container):
        fields["depends_on"] = depends_on
    if container.ready is not None:
        fields["healthcheck"] = _health(container, container.ready)
    fields["restart"] = "no" if container.once else "unless-stopped"
    fields["stop_grace_period"] = f"{container.stop_max_s}s"
    return {**fields, **_confinement(container)}


def _image(container: Container) -> dict[str, Any]:
    if not container.ours:
        return {"image": container.image}
    target = container.image.removeprefix("atrium-")
    build: dict[str, Any] = {"context": "..", "dockerfile": "deployments/docker/Dockerfile", "target": target}
    if target in {service.name for service in SERVICES}:
        build["args"] = {"SERVICE": target}
    return {"image": f"${{REGISTRY:+${{REGISTRY:-}}/}}{container.image}:${{TAG:-{VERSION}}}", "build": build}


def _command(container: Container) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if container.command:
        fields["command" if container.ours else "entrypoint"] = _literal(container.command)
    if container.arguments:
        fields["command"] = _literal(container.arguments)
    if container.folder:
        fields["working_dir"] = container.folder
    return fields


def _literal(words: tuple[str, ...]) -> list[str]:
    """As they are: Compose takes `$` for a variable of its own."""
    return [word.replace("$", "$$") for word in words]


def _environment(container: Container) -> dict[str, str]:
    config = {
        name: _OF_THE_INSTALLATION.get(name, value) if container.ours else value
        for name, value in container.config.items()
    }
    secrets = {name: _secret(container, name) for name in container.secrets}
    known = container.settings.model_fields if container.settings is not None else {}
    optional = {name: name for name in container.optional_secrets}
    optional |= {name: source for name, source in _OPTIONAL_SETTINGS.items() if name.lower() in known}
    return {**config, **secrets, **{name: f"${{{source}:-}}" for name, source in optional.items()}}


def _secret(container: Container, name: str) -> str:
    """How the value of one of its variables is made from the secrets in `.env`."""
    if name == "DATABASE_ADMIN_URL":
        return _database_url("postgres", "POSTGRES_PASSWORD")
    if name == "DATABASE_URL":
        service = next(service for service in SERVICES if service.name == container.name)
        return _database_url(service.app_role, service.app_password_variable)
    if name == "REDIS_URL":
        return redis_url(_required("REDIS_PASSWORD"))
    return _required(secret_name(container.name, name))


def _database_url(role: str, password_variable: str) -> str:
    server = f"{POSTGRES.name}:{POSTGRES.port('postgres')}"
    return f"postgresql://{role}:{_required(password_variable)}@{server}/{DATABASE}"


def _required(variable: str) -> str:
    return f"${{{variable}:?{_MISSING}}}"


def _depends_on(container: Container) -> dict[str, Any]:
    conditions = {name: _condition(container_named(name)) for name in container.stores}
    if container.schema:
        conditions["migrate"] = "service_completed_successfully"
    conditions |= dict.fromkeys(container.calls, "service_started")
    return {name: {"condition": condition} for name, condition in conditions.items()}


def _condition(store: Container) -> str:
    return "service_healthy" if store.start_max_s <= _STARTS_QUICKLY_S else "service_started"


def _health(container: Container, check: ProcessCheck) -> dict[str, Any]:
    return {
        "test": ["CMD", *_literal(check.command or _http_probe(container, check))],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "start_period": f"{container.start_max_s}s",
    }


def _http_probe(container: Container, check: ProcessCheck) -> tuple[str, ...]:
    """What the image has to ask with: Python in ours, bash in Qdrant's, busybox elsewhere."""
    url = f"http://127.0.0.1:{check.port}{check.path}"
    if container.ours:
        return ("python", "-c", f"from urllib.request import urlopen; urlopen('{url}', timeout=4)")
    if container.name == QDRANT.name:
        ask = f"printf 'GET {check.path} HTTP/1.0\\r\\n\\r\\n' >&3; grep -q ' 200 ' <&3"
        return ("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{check.port}; {ask}")
    return ("wget", "-q", "-O", "/dev/null", url)


def _confinement(container: Container) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": _PIDS_MAX,
        "mem_limit": _size(container.resources.memory_max),
        "mem_reservation": _size(container.resources.memory),
    }
    folders = container.folders
    if lasting := [f"{_volume(container, folder)}:{folder.path}" for folder in folders if folder.lasting]:
        fields["volumes"] = lasting
    if passing := [_tmpfs(container, folder) for folder in folders if not folder.lasting]:
        fields["tmpfs"] = passing
    return {**fields, "logging": _LOG}


def _tmpfs(container: Container, folder: Folder) -> str:
    owned = f"0770,uid={container.user},gid={_group(container)}"
    return f"{folder.path}:size={_size(folder.size)},mode={'1777' if folder.path == '/tmp' else owned}"


def _group(container: Container) -> int:
    return 0 if container.ours else container.user


def _volume(container: Container, folder: Folder) -> str:
    if sum(folder.lasting for folder in container.folders) == 1:
        return container.name
    return f"{container.name}-{folder.path.rsplit('/', 1)[-1]}"


def _size(quantity: str) -> str:
    """A Kubernetes quantity as Docker writes it."""
    return quantity.replace("Gi", "g").replace("Mi", "m")
