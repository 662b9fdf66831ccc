"""The network policies admit what the table draws, and nothing else."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from atrium_manifests.containers import CONTAINERS, GATEWAY_NAME, METRICS_PORT, container_named
from atrium_manifests.network import MAY_CALL, MAY_SCRAPE
from atrium_manifests.objects import labels_of
from atrium_manifests.shapes import Container
from cluster_objects import Object, committed_objects, name_of, of_kind
from shared.arrows import ARROWS

POLICIES = of_kind(committed_objects(), "NetworkPolicy")
METADATA_SERVICE = "169.254.169.254"


def selects(selector: Object, labels: Object) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def rules(container: Container, direction: str) -> Iterator[dict[str, Any]]:
    """Of every policy that holds for the container's pods."""
    for policy in POLICIES:
        if selects(policy["spec"]["podSelector"], labels_of(container)):
            yield from policy["spec"].get(direction, [])


def port_numbers(rule: dict[str, Any], target: Container) -> set[int]:
    named = {port.name: port.number for port in target.ports}
    found = {named.get(each["port"], each["port"]) for each in rule["ports"]}
    return {number for number in found if isinstance(number, int)}


def pod_peers(rule: dict[str, Any], side: str) -> list[Object]:
    return [peer["podSelector"] for peer in rule.get(side, []) if "podSelector" in peer]


def open_ports(caller: Container, target: Container) -> set[int]:
    """Where a pod of `caller` reaches one of `target`: both the way out and the way in must be open."""
    out = [
        port_numbers(rule, target)
        for rule in rules(caller, "egress")
        if any(selects(peer, labels_of(target)) for peer in pod_peers(rule, "to"))
    ]
    into = [
        port_numbers(rule, target)
        for rule in rules(target, "ingress")
        if "from" not in rule or any(selects(peer, labels_of(caller)) for peer in pod_peers(rule, "from"))
    ]
    return set[int]().union(*out) & set[int]().union(*into)


def test_without_a_policy_nothing_passes() -> None:
    (deny,) = [each for each in POLICIES if name_of(each) == "default-deny"]
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in POLICIES:
        directions = {key.capitalize() for key in ("ingress", "egress") if key in policy["spec"]}
        assert directions <= set(policy["spec"]["policyTypes"])


def test_each_pair_reaches_each_other_as_drawn_and_no_further() -> None:
    for caller, target in product(CONTAINERS, CONTAINERS):
        drawn = {target.ports[0].number} if target.name in caller.reaches else set[int]()
        assert open_ports(caller, target) == drawn, (caller.name, target.name)


def test_each_arrow_of_the_code_is_open() -> None:
    for caller, target in ARROWS:
        assert open_ports(container_named(caller), container_named(target))


def test_only_what_calls_outside_gets_out_and_never_to_addresses_inside() -> None:
    for container in CONTAINERS:
        blocks = [
            peer["ipBlock"]
            for rule in rules(container, "egress")
            if {each["port"] for each in rule["ports"]} != {53}
            for peer in rule["to"]
            if "ipBlock" in peer
        ]
        assert bool(blocks) == bool(container.outside), container.name
        for block in blocks:
            assert block["except"]
    (providers,) = [each for each in POLICIES if name_of(each) == "providers"]
    (rule,) = providers["spec"]["egress"]
    assert [each["port"] for each in rule["ports"]] == [443]
    refused = [network for peer in rule["to"] for network in peer["ipBlock"]["except"]]
    assert "169.254.0.0/16" in refused, f"{METADATA_SERVICE} hands out the node's credentials"


def test_every_egress_but_of_names_and_providers_stays_among_the_pods() -> None:
    for policy in POLICIES:
        if name_of(policy) not in {"names", "providers"}:
            for rule in policy["spec"].get("egress", []):
                assert all(set(peer) == {"podSelector"} for peer in rule["to"]), name_of(policy)


def test_other_namespaces_come_in_by_label_only_and_to_services_only() -> None:
    for container in CONTAINERS:
        by_label = [
            (peer["namespaceSelector"]["matchLabels"], port_numbers(rule, container))
            for rule in rules(container, "ingress")
            for peer in rule.get("from", [])
            if "namespaceSelector" in peer
        ]
        if not container.schema:
            assert by_label == []
            continue
        numbers = {port.number for port in container.ports}
        assert by_label == [({MAY_CALL: "true"}, {container.port()}), ({MAY_SCRAPE: "true"}, numbers)]


def test_only_the_gateway_is_open_to_everybody_and_not_its_metrics() -> None:
    anybody = {
        container.name: port_numbers(rule, container)
        for container in CONTAINERS
        for rule in rules(container, "ingress")
        if "from" not in rule
    }
    gateway = container_named(GATEWAY_NAME)
    assert anybody == {gateway.name: {gateway.port()}}
    assert METRICS_PORT not in anybody[gateway.name]
