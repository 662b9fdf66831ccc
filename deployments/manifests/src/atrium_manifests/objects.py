"""Kubernetes objects as plain dictionaries, and the text of a file of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml

from atrium_manifests.shapes import Container

Object = dict[str, Any]

NAMESPACE = "atrium"
NAME_LABEL = "app.kubernetes.io/name"
PART_LABEL = "app.kubernetes.io/part-of"
TIER_LABEL = "atrium.dev/tier"
OUTSIDE_LABEL = "atrium.dev/calls-outside"
SERVICE_TIER = "service"


@dataclass(frozen=True, slots=True)
class Images:
    """Where images of ours are and which version of them is meant."""

    version: str
    registry: str = ""  # "registry.example.com/atrium"; empty: the images of the node itself

    def of(self, image: str) -> str:
        """The whole name of an image of the table."""
        if not image.startswith("atrium-"):
            return image
        return f"{f'{self.registry}/' if self.registry else ''}{image}:{self.version}"


def object_of(api: str, kind: str, name: str, *, labels: Mapping[str, str], **rest: Any) -> Object:
    """An object of the namespace."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": dict(labels)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def labels_of(container: Container) -> dict[str, str]:
    """What every object of a container is labelled with."""
    labels = {NAME_LABEL: container.name, PART_LABEL: "atrium"}
    if container.schema:
        labels[TIER_LABEL] = SERVICE_TIER
    if container.outside:
        labels[OUTSIDE_LABEL] = "true"
    return labels


def selector_of(container: Container) -> dict[str, Any]:
    """Selects the container's pods; it can never change."""
    return {"matchLabels": {NAME_LABEL: container.name}}


class _Dumper(yaml.SafeDumper):
    """Without anchors: what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return cast("Any", dumper).represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(objects: Iterable[Object], heading: Sequence[str]) -> str:
    """A YAML file of several documents below a comment."""
    head = "".join(f"# {line}\n" for line in heading)
    parts = (
        yaml.dump(each, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110) for each in objects
    )
    return head + "---\n" + "---\n".join(parts)
