"""deploy/kubernetes/overlays/three-hosts: hosts are the pods, and the exchange is theirs alone."""

from pathlib import Path

import pytest

from tests.project.test_kubernetes import settings_of
from tests.support.manifests import container, of_kind, pod_templates

OVERLAY = "three-hosts"


def exchange_port() -> int:
    worker, _ = pod_templates(OVERLAY)
    (port,) = (each["containerPort"] for each in container(worker)["ports"] if each["name"] == "exchange")
    return int(port)


def test_hosts_are_the_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pod has the number of its address, and copies go to object storage."""
    monkeypatch.setattr("socket.gethostname", lambda: "tacit-2")
    worker, _ = pod_templates(OVERLAY)
    settings = settings_of(OVERLAY, worker, tmp_path, monkeypatch)
    spec = of_kind(OVERLAY, "StatefulSet")["spec"]
    names = [f"tacit-{number}.{spec['serviceName']}" for number in range(spec["replicas"])]
    assert settings.host_addresses == tuple(f"{name}:{exchange_port()}" for name in names)
    assert settings.host_number == 2
    assert settings.checkpoints is not None
    assert spec["podManagementPolicy"] == "Parallel"
    assert of_kind(OVERLAY, "Service")["spec"]["publishNotReadyAddresses"] is True


def test_update_is_by_hand() -> None:
    """A rolling one waits until a pod is ready, which waits for hosts of its own settings and version."""
    assert of_kind(OVERLAY, "StatefulSet")["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_exchange_is_between_workers_alone() -> None:
    """In both directions; no other rule has the port."""
    worker, replay = (template["metadata"]["labels"].items() for template in pod_templates(OVERLAY))
    policy = of_kind(OVERLAY, "NetworkPolicy", "tacit-hosts")["spec"]
    selector = policy["podSelector"]["matchLabels"]
    assert selector.items() <= worker
    assert not selector.items() <= replay
    for rules, peers in ((policy["ingress"], "from"), (policy["egress"], "to")):
        exchange = [rule for rule in rules if {"exchange", exchange_port()} & {port["port"] for port in rule["ports"]}]
        assert [rule[peers] for rule in exchange] == [[{"podSelector": {"matchLabels": selector}}]]
    others = of_kind(OVERLAY, "NetworkPolicy", "tacit")["spec"]
    ports = {port["port"] for rule in [*others["ingress"], *others["egress"]] for port in rule["ports"]}
    assert not {"exchange", exchange_port()} & ports


def test_hosts_are_on_different_nodes() -> None:
    """The loss of a node takes one host."""
    worker, _ = pod_templates(OVERLAY)
    (spread,) = worker["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    assert spread["whenUnsatisfiable"] == "DoNotSchedule"
    assert spread["labelSelector"]["matchLabels"].items() <= worker["metadata"]["labels"].items()
