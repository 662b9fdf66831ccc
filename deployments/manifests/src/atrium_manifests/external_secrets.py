"""Where the External Secrets Operator finds the Secret of each container in a store of the operator's own."""

from atrium_manifests.containers import CONTAINERS
from atrium_manifests.objects import Object, dump, labels_of, object_of
from atrium_manifests.shapes import Container

STORE = "atrium"  # the SecretStore; one entry in it for each container, its properties named after variables
_EVERY = "1h"


def external_secrets(heading: str) -> str:
    """The file of one ExternalSecret for each container that has secrets."""
    return dump((_external(container) for container in CONTAINERS if container.secrets), [heading])


def _external(container: Container) -> Object:
    spec = {
        "refreshInterval": _EVERY,
        "secretStoreRef": {"kind": "SecretStore", "name": STORE},
        "target": {"name": container.name, "creationPolicy": "Owner"},
        "dataFrom": [{"extract": {"key": f"{STORE}/{container.name}"}}],
    }
    labels = labels_of(container)
    return object_of("external-secrets.io/v1", "ExternalSecret", container.name, labels=labels, spec=spec)
