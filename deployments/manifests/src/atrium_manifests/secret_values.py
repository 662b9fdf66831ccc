"""The secrets of an installation in a cluster: which container gets which value."""

from collections.abc import Mapping

from atrium_local.addresses import role_url
from atrium_local.container_secrets import container_secrets
from atrium_local.services import service_named

from atrium_manifests.containers import CONTAINERS
from atrium_manifests.stores import DATABASE, POSTGRES, REDIS

Values = Mapping[str, Mapping[str, str]]
"""By container, then by variable."""

_OF_ONE_VALUE = {  # (container, variable): the name of the secret, where it is called otherwise
    ("qdrant", "QDRANT__SERVICE__API_KEY"): "QDRANT_API_KEY",
    ("objects", "AWS_ACCESS_KEY_ID"): "S3_ACCESS_KEY_ID",
    ("objects", "AWS_SECRET_ACCESS_KEY"): "S3_SECRET_ACCESS_KEY",
}
_FOLLOWS = "TOKEN_JWKS"  # made of the signing keys


def secret_values(present: Values) -> dict[str, dict[str, str]]:
    """Every secret each container needs: those of `present` as they are, new ones for the rest.

    The set of public keys is made again when a signing key was added.
    """
    named = container_secrets(_known(present))
    made = {container.name: _of(container.name, container.secrets, named) for container in CONTAINERS}
    return {
        name: {**values, **_kept(present.get(name, {}), values)} for name, values in made.items() if values
    }


def _kept(present: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in present.items() if name != _FOLLOWS or name not in made}


def _of(container: str, variables: tuple[str, ...], named: Mapping[str, str]) -> dict[str, str]:
    return {variable: _value(container, variable, named) for variable in variables}


def _value(container: str, variable: str, named: Mapping[str, str]) -> str:
    if variable == "DATABASE_ADMIN_URL":
        return _admin_url(named)
    if variable == "DATABASE_URL":
        service = service_named(container)
        password = named[service.app_password_variable]
        return role_url(_admin_url(named), DATABASE, role=service.app_role, password=password)
    if variable == "REDIS_URL":
        return redis_url(named["REDIS_PASSWORD"])
    return named[secret_name(container, variable)]


def secret_name(container: str, variable: str) -> str:
    """The name by which `container_secrets` knows the value of a container's variable."""
    if variable == "SERVICE_SIGNING_KEY":
        return service_named(container).signing_key_variable
    return _OF_ONE_VALUE.get((container, variable), variable)


def redis_url(password: str) -> str:
    """The address of the Redis of the table."""
    return f"redis://:{password}@{REDIS.name}:{REDIS.port('redis')}/0"


def _admin_url(named: Mapping[str, str]) -> str:
    host = f"{POSTGRES.name}:{POSTGRES.port('postgres')}"
    return f"postgresql://postgres:{named['POSTGRES_PASSWORD']}@{host}/{DATABASE}"


def _known(present: Values) -> dict[str, str]:
    """The secrets by their own names, as far as `present` holds them."""
    return {
        secret_name(container, variable): value
        for container, values in present.items()
        for variable, value in values.items()
        if not variable.endswith("_URL")  # made of the others
    }
