"""The one table of containers: what runs, from which image, with what, and who reaches whom.

Everything that runs the suite outside `make run` is written from it. What other tables say already is taken
from them: names, ports and schemas from `atrium_local.services`, arrows from `shared.arrows`, variables from
the settings classes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from atrium_local.catalogue import EMBEDDING_MODEL
from atrium_local.model_server import ModelServerSettings
from atrium_local.services import GATEWAY, SERVICES, Service, service_named
from shared.arrows import ARROWS

from atrium_manifests.settings_classes import settings_class
from atrium_manifests.shapes import Container, Folder, Port, ProcessCheck, Resources
from atrium_manifests.stores import OBJECTS, POSTGRES, QDRANT, REDIS, STORES

# Where an image has what is not Python; the images are built by the same names.
CODE = "/app"  # the clone: a service runs in its folder there
WEB = "/opt/atrium/web"  # the built web client, in the gateway's image
MODELS = "/opt/atrium/models"  # a folder for each model whose files are part of the image
HOME = "/var/lib/atrium"

OPERATIONS_IMAGE = "atrium-operations"
MODEL_SERVER_NAME = "model-server"
MODEL_SERVER_PORT = 8011
PUBLIC_URL = "https://atrium.example.com"
COMMON = {"ENV": "prod", "HOST": "0.0.0.0", "PUBLIC_URL": PUBLIC_URL, "ATRIUM_HOME": HOME}  # of every service
METRICS_PORT_NAME, METRICS_PORT = "metrics", 9000
GATEWAY_NAME = GATEWAY.name
BUCKET = "atrium"
_GRACE_S = 5  # after its drain a service tells its readers how their answers ended


def schema_wait(service: str) -> tuple[str, ...]:
    """The command of the operations image that ends as soon as the schema is as new as the code of `service`.

    It reads DATABASE_URL, as the service does.
    """
    return ("python", "-m", "atrium_local", "migrate", "--wait", service)


def _service(service: Service, purpose: str, resources: Resources, *, drain_s: int, **more: Any) -> Container:
    """What all services have in common, and `more`: what is a tuple or a mapping is added."""
    calls = tuple(target for caller, target in ARROWS if caller == service.name)
    common = Container(
        name=service.name,
        image=f"atrium-{service.name}",
        purpose=purpose,
        resources=resources,
        ports=(Port("http", service.port),),
        command=_uvicorn(service, drain_s + _GRACE_S),
        folder=f"{CODE}/{service.name}",
        settings=settings_class(service),
        config={
            **COMMON,
            "PORT": str(service.port),
            "DRAIN_TIMEOUT_S": str(drain_s),
            **{service_named(name).url_variable: _url(service_named(name)) for name in calls},
        },
        secrets=("DATABASE_URL", "SERVICE_SIGNING_KEY", "TOKEN_JWKS"),
        optional_secrets=("JWT_SECRET_KEY",),
        alive=ProcessCheck(service.port, "/healthz"),
        ready=ProcessCheck(service.port, "/readyz"),
        calls=calls,
        stores=(POSTGRES.name,),
        folders=(Folder(HOME, "1Gi"), Folder("/tmp", "1Gi")),
        replicas=2,
        replicas_max=4,
        schema=service.name,
        drain_s=drain_s,
    )
    return replace(common, **{name: _added(getattr(common, name), value) for name, value in more.items()})


def _added(there: Any, value: Any) -> Any:
    if isinstance(there, tuple):
        return (*cast("tuple[object, ...]", there), *value)
    return {**cast("dict[str, str]", there), **value} if isinstance(there, dict) else value


def _uvicorn(service: Service, answers_max_s: int) -> tuple[str, ...]:
    """One process; after `answers_max_s` seconds it no longer waits for the end of what it answers."""
    return (
        *("uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", str(service.port)),
        *("--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", str(answers_max_s)),
    )


def _url(service: Service) -> str:
    return f"http://{service.name}:{service.port}"


_EMBEDDING_FILES = {"EMBEDDING_MODEL_PATH": f"{MODELS}/{EMBEDDING_MODEL}"}

_SERVICES = (
    _service(
        GATEWAY,
        "the only door: sign-in, limits, the web client, and every call to a service",
        Resources("500m", "256Mi", "1Gi"),
        drain_s=120,
        ports=(Port(METRICS_PORT_NAME, METRICS_PORT),),
        config={"METRICS_PORT": str(METRICS_PORT), "WEB_BUILD_DIR": WEB},
        secrets=("USER_SIGNING_KEY", "SETUP_TOKEN", "REDIS_URL"),
        stores=(REDIS.name,),
    ),
    _service(
        service_named("inference-service"),
        "models and providers, metered",
        Resources("500m", "512Mi", "1536Mi"),
        drain_s=120,
        config={**_EMBEDDING_FILES, "LOCAL_MODEL_URL": f"http://{MODEL_SERVER_NAME}:{MODEL_SERVER_PORT}"},
        secrets=("LOCAL_MODEL_API_KEY",),
        optional_secrets=("OPENAI_API_KEYS",),
        stores=(MODEL_SERVER_NAME,),
        outside="model providers",
    ),
    _service(
        service_named("agent-service"),
        "agents, their runs and tools, and the code sandbox",
        Resources("500m", "512Mi", "4Gi"),
        drain_s=30,
        optional_secrets=("MCP_SECRETS_KEY",),
        replica_variable="EXECUTOR_ID",
        outside="MCP servers",
        replicas_max=2,  # not by load: a replica that goes leaves its runs to nobody
        owns=True,
    ),
    _service(
        service_named("retrieval-service"),
        "files, their ingestion, and search",
        Resources("250m", "512Mi", "3Gi"),
        drain_s=20,
        config={
            **_EMBEDDING_FILES,
            "OBJECT_STORE_URL": f"s3://{BUCKET}",
            "S3_ENDPOINT_URL": f"http://{OBJECTS.name}:{OBJECTS.port('s3')}",
            "S3_REGION": "us-east-1",
            "QDRANT_URL": f"http://{QDRANT.name}:{QDRANT.port()}",
        },
        secrets=("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "QDRANT_API_KEY"),
        replica_variable="EXECUTOR_ID",
        stores=(OBJECTS.name, QDRANT.name),
        replicas_max=2,  # as agent-service
        owns=True,
    ),
    _service(
        service_named("chat-service"),
        "chats and their replies",
        Resources("250m", "256Mi", "1Gi"),
        drain_s=120,
    ),
    _service(
        service_named("billing-service"),
        "budgets, holds and the ledger",
        Resources("250m", "256Mi", "1Gi"),
        drain_s=20,
        optional_secrets=("OPENROUTER_API_KEY", "OPENROUTER_MANAGEMENT_KEY"),
        outside="OpenRouter, when its key is set",
    ),
)

MODEL_SERVER = Container(
    name=MODEL_SERVER_NAME,
    image="atrium-model-server",
    purpose="the built-in model; it fetches its weights at its first start",
    command=("python", "-m", "atrium_local.model_server"),
    folder=CODE,
    settings=ModelServerSettings,
    ports=(Port("http", MODEL_SERVER_PORT),),
    alive=ProcessCheck(MODEL_SERVER_PORT, "/health"),
    ready=ProcessCheck(MODEL_SERVER_PORT, "/health"),
    start_max_s=3600,
    config={
        "ATRIUM_HOME": HOME,
        "XDG_CACHE_HOME": f"{HOME}/cache",
        "MODEL_HOST": "0.0.0.0",
        "MODEL_PORT": str(MODEL_SERVER_PORT),
    },
    secrets=("LOCAL_MODEL_API_KEY",),
    resources=Resources("1", "1Gi", "2Gi"),
    folders=(Folder(HOME, "3Gi", lasting=True), Folder("/tmp", "256Mi")),
    outside="where the weights come from",
    owns=True,
)

MIGRATE = Container(
    name="migrate",
    image=OPERATIONS_IMAGE,
    purpose="roles, schemas and migrations of every service; once for each version",
    command=("python", "-m", "atrium_local", "migrate"),
    folder=CODE,
    config={"ATRIUM_HOME": HOME},
    secrets=(
        "DATABASE_ADMIN_URL",
        *(service.owner_password_variable for service in SERVICES),
        *(service.app_password_variable for service in SERVICES),
    ),
    stores=(POSTGRES.name,),
    resources=Resources("100m", "256Mi", "512Mi"),
    folders=(Folder(HOME, "64Mi"), Folder("/tmp", "64Mi")),
    once=True,
)

CONTAINERS: tuple[Container, ...] = (*STORES, MODEL_SERVER, MIGRATE, *_SERVICES)
_BY_NAME: Mapping[str, Container] = {container.name: container for container in CONTAINERS}


def container_named(name: str) -> Container:
    """Raises: KeyError."""
    return _BY_NAME[name]
