"""Who may talk to whom: everything is refused but what the table draws."""

from collections.abc import Iterable
from typing import Any

from atrium_manifests.containers import CONTAINERS, GATEWAY_NAME, METRICS_PORT_NAME, container_named
from atrium_manifests.objects import (
    OUTSIDE_LABEL,
    PART_LABEL,
    SERVICE_TIER,
    TIER_LABEL,
    Object,
    object_of,
    selector_of,
)
from atrium_manifests.shapes import Container

MAY_CALL = "atrium.dev/may-call-services"
MAY_SCRAPE = "atrium.dev/may-scrape-metrics"
PROVIDERS = "providers"
_LABELS = {PART_LABEL: "atrium"}
_NODE_LOCAL_DNS = "169.254.20.10/32"
# Addresses that no provider has: networks of the cluster and of the company, the node, cloud metadata.
INSIDE_V4 = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
)
INSIDE_V6 = ("fc00::/7", "fe80::/10", "::1/128")
Rules = list[dict[str, Any]]


def network_policies() -> list[Object]:
    """All of them; each pair of an arrow admits one way of one pair of containers at one port."""
    return [_default_deny(), _names(), *_arrows(), _door(), _labelled(), _metrics(), _providers()]


def _arrows() -> Iterable[Object]:
    """Of every container to each service it calls and each store it uses: the way out, and the way in."""
    for caller in CONTAINERS:
        for name in caller.reaches:
            target = container_named(name)
            ports = _ports(target.ports[0].number)
            outwards = [{"to": [{"podSelector": selector_of(target)}], "ports": ports}]
            inwards = [{"from": [{"podSelector": selector_of(caller)}], "ports": ports}]
            yield _policy(f"{caller.name}-to-{name}", selector_of(caller), egress=outwards)
            yield _policy(f"{name}-from-{caller.name}", selector_of(target), ingress=inwards)


def _policy(
    name: str, pods: dict[str, Any], *, ingress: Rules | None = None, egress: Rules | None = None
) -> Object:
    spec: dict[str, Any] = {"podSelector": pods, "policyTypes": []}
    for direction, rules in (("Ingress", ingress), ("Egress", egress)):
        if rules is not None:
            spec["policyTypes"].append(direction)
            if rules:
                spec[direction.lower()] = rules
    return object_of("networking.k8s.io/v1", "NetworkPolicy", name, labels=_LABELS, spec=spec)


def _ports(*ports: int | str, protocols: tuple[str, ...] = ("TCP",)) -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]


def _default_deny() -> Object:
    return _policy("default-deny", {}, ingress=[], egress=[])


def _names() -> Object:
    """Names of services are looked up in the cluster's DNS, or in the copy of it that runs on each node."""
    system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    rule = {
        "to": [system, {"ipBlock": {"cidr": _NODE_LOCAL_DNS}}],
        "ports": _ports(53, protocols=("UDP", "TCP")),
    }
    return _policy("names", {}, egress=[rule])


def _door() -> Object:
    """The gateway takes calls from everywhere: it asks everybody who they are."""
    gateway: Container = container_named(GATEWAY_NAME)
    rule = {"ports": _ports(gateway.port())}
    return _policy("gateway-from-everywhere", selector_of(gateway), ingress=[rule])


def _labelled() -> Object:
    rule = {"from": [_namespaces(MAY_CALL)], "ports": _ports("http")}
    return _policy("services-from-labelled-namespaces", _all_services(), ingress=[rule])


def _metrics() -> Object:
    rule = {"from": [_namespaces(MAY_SCRAPE)], "ports": _ports("http", METRICS_PORT_NAME)}
    return _policy("metrics-from-labelled-namespaces", _all_services(), ingress=[rule])


def _providers() -> Object:
    """HTTPS to public addresses, for what calls providers. What is elsewhere needs a policy of its own."""
    rule = {
        "to": [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(INSIDE_V4)}},
            {"ipBlock": {"cidr": "::/0", "except": list(INSIDE_V6)}},
        ],
        "ports": _ports(443),
    }
    return _policy(PROVIDERS, {"matchLabels": {OUTSIDE_LABEL: "true"}}, egress=[rule])


def _all_services() -> dict[str, Any]:
    return {"matchLabels": {TIER_LABEL: SERVICE_TIER}}


def _namespaces(label: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {label: "true"}}}
