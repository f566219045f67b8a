"""deploy/kubernetes: manifests fit the API, pods are contained, and each name in them exists."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from dataflows.observability.http import monitors
from dataflows.observability.watch import Watch
from dataflows.setting_sources import variable_of
from dataflows.settings import Settings, descriptions, load
from tests.project.test_compose import parsed, values_of
from tests.support.manifests import FOLDER, OVERLAYS, Manifest, built, container, of_kind, pod_templates
from tests.support.monitoring_client import get
from tests.support.ports import two_free_ports

PROJECT = FOLDER.parents[1]
GUIDE = PROJECT / "docs" / "guides" / "kubernetes.md"
OLDEST, NEWEST = "1.31", "1.37"
"""Versions of the API; ReadWriteOncePod and the other fields are stable in the oldest."""
CUSTOM = {"ServiceMonitor"}
"""Kinds of operators, which the API itself does not have."""

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def labels_of(template: Manifest) -> set[tuple[str, str]]:
    return set(template["metadata"]["labels"].items())


def selects(labels: dict[str, str], template: Manifest) -> bool:
    return bool(labels) and set(labels.items()) <= labels_of(template)


def settings_of(overlay: str, template: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings with which a container starts; the files that it mounts are in a folder."""
    spec = container(template)
    for name, text in of_kind(overlay, "ConfigMap")["data"].items():
        (folder / name).write_text(text.replace("/etc/tacit/secrets", str(folder)))
    for name, text in (("secret", "0123456789abcdef"), ("redis", "redis://tacit-writer:password@redis:6379/0")):
        (folder / name).write_text(text)
    for variable in spec["env"]:
        if "value" in variable:
            monkeypatch.setenv(variable["name"], variable["value"].replace("/etc/tacit/config", str(folder)))
    parameters = parsed(spec["args"])
    return load({name: value for name, value in parameters.items() if name in descriptions() and name != "source"})


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_fit_the_api(overlay: str, version: str) -> None:
    """A misspelt field is an error, too."""
    for manifest in built(overlay):
        if manifest["kind"] not in CUSTOM:
            assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_misspelt_field_does_not_fit_the_api(overlay: str) -> None:
    """Otherwise the test above would show nothing."""
    manifest = of_kind(overlay, "PodDisruptionBudget")
    wrong = manifest | {"spec": {**manifest["spec"], "maxUnavailible": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="maxUnavailible"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_pods_are_contained(overlay: str) -> None:
    """The user is that of the image, no token is mounted, and nothing of the image can be written."""
    for template in pod_templates(overlay):
        pod, own = template["spec"]["securityContext"], container(template)["securityContext"]
        assert values_of("USER") == [f"{pod['runAsUser']}:{pod['runAsGroup']}"]
        assert (pod["runAsNonRoot"], pod["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert template["spec"]["automountServiceAccountToken"] is False
        assert {"cpu", "memory"} <= container(template)["resources"]["requests"].keys()
        assert "memory" in container(template)["resources"]["limits"]


def test_secrets_have_no_value_here(overlay: str) -> None:
    """Pods refer to a Secret that an operator makes."""
    assert "Secret" not in {manifest["kind"] for manifest in built(overlay)}
    secrets = {variable_of(name) for name, setting in descriptions().items() if setting.is_secret}
    for template in pod_templates(overlay):
        assert not [each["name"] for each in container(template)["env"] if each["name"] in secrets and "value" in each]
    keys = re.findall(r"^(\w+) *=", of_kind(overlay, "ConfigMap")["data"]["tacit.toml"], re.MULTILINE)
    assert not set(keys) & {name for name, setting in descriptions().items() if setting.is_secret}


def test_containers_start_with_valid_settings(overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command line, variables and tacit.toml fit together; state and files of a run lie on writable volumes."""
    for template in pod_templates(overlay):
        settings = settings_of(overlay, template, tmp_path, monkeypatch)
        writable = [mount["mountPath"] for mount in container(template)["volumeMounts"] if not mount.get("readOnly")]
        assert settings.state is not None
        assert str(settings.state.parent) in writable
        assert "/tmp" in writable  # noqa: S108  # a path in the container
        assert settings.rejects.startswith("kafka://")
        monkeypatch.undo()


def test_probes_and_metrics_are_those_of_a_run(overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run serves the paths, and the port of the metrics is that of the container."""
    template, _ = pod_templates(overlay)
    worker, settings = container(template), settings_of(overlay, template, tmp_path, monkeypatch)
    ports = {port["name"]: port["containerPort"] for port in worker["ports"]}
    assert settings.metrics == f"0.0.0.0:{ports['metrics']}"
    probes = {name: worker[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/livez", "liveness": "/livez", "readiness": "/readyz",
    }  # fmt: skip
    assert {probe["port"] for probe in probes.values()} == {"metrics"}
    port = two_free_ports()
    with monitors(f"127.0.0.1:{port}", Watch()):
        assert [get(port, path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200, 503, 200]


def test_selectors_find_their_pods(overlay: str) -> None:
    """Service and budget are of the workers, the policy of all pods, and the monitor of the Service."""
    worker, replay = pod_templates(overlay)
    service, budget = of_kind(overlay, "Service"), of_kind(overlay, "PodDisruptionBudget")
    policy, monitor = of_kind(overlay, "NetworkPolicy", "tacit"), of_kind(overlay, "ServiceMonitor")
    workers = [service["spec"]["selector"], budget["spec"]["selector"]["matchLabels"]]
    workers.append(of_kind(overlay, "StatefulSet")["spec"]["selector"]["matchLabels"])
    assert all(selects(labels, worker) and not selects(labels, replay) for labels in workers)
    assert all(selects(policy["spec"]["podSelector"]["matchLabels"], template) for template in (worker, replay))
    assert selects(monitor["spec"]["selector"]["matchLabels"], service)
    assert {each["port"] for each in monitor["spec"]["endpoints"]} <= {
        port["name"] for port in service["spec"]["ports"]
    }
    assert of_kind(overlay, "StatefulSet")["spec"]["serviceName"] == service["metadata"]["name"]


def test_mounted_objects_exist(overlay: str) -> None:
    """But for the Secrets that the guide names."""
    guide = GUIDE.read_text()
    config = of_kind(overlay, "ConfigMap")["metadata"]["name"]
    claims = of_kind(overlay, "StatefulSet")["spec"]["volumeClaimTemplates"]
    for template in pod_templates(overlay):
        volumes: list[Any] = template["spec"]["volumes"]
        assert {each["configMap"]["name"] for each in volumes if "configMap" in each} == {config}
        secrets = {each["secret"]["secretName"] for each in volumes if "secret" in each}
        assert "tacit" in secrets
        assert all(f"Secret `{name}`" in guide for name in secrets)
        names = {each["name"] for each in volumes} | {claim["metadata"]["name"] for claim in claims}
        assert {mount["name"] for mount in container(template)["volumeMounts"]} <= names
        assert template["spec"]["serviceAccountName"] == of_kind(overlay, "ServiceAccount")["metadata"]["name"]


def test_network_is_closed_but_for_named_peers(overlay: str) -> None:
    """No rule is without a peer or without a port."""
    for policy in (each["spec"] for each in built(overlay) if each["kind"] == "NetworkPolicy"):
        assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
        assert all(rule["from"] and rule["ports"] for rule in policy["ingress"])
        assert all(rule["to"] and rule["ports"] for rule in policy["egress"])


def test_grace_period_is_longer_than_a_stop(overlay: str) -> None:
    """A worker waits for Redis up to 45 s before it gives up; no hook takes from the period."""
    for template in pod_templates(overlay):
        assert template["spec"]["terminationGracePeriodSeconds"] >= 2 * 45
        assert "lifecycle" not in container(template)


def test_image_has_the_version_of_the_worker(overlay: str) -> None:
    """As in compose.yaml."""
    images = {container(template)["image"] for template in pod_templates(overlay)}
    assert images == {"tacit-worker:0.1.0"}
    assert "image: tacit-worker:0.1.0" in (PROJECT / "compose.yaml").read_text()


def test_guide_names_existing_objects(overlay: str) -> None:
    """Its commands with a cluster cannot run here."""
    text = GUIDE.read_text()
    kinds = {(each["kind"].lower(), each["metadata"]["name"]) for each in built(overlay)}
    assert set(re.findall(r"\b(statefulset|cronjob)/([\w-]+)", text)) <= kinds
    assert all((PROJECT / path).exists() for path in re.findall(r"deploy/kubernetes/[\w/-]*", text))
    assert {each["metadata"].get("namespace") for each in built(overlay)} == set(re.findall(r"--namespace (\w+)", text))
    assert all(f"`{key}`" in text for key in re.findall(r"secrets/(\w+)", str(of_kind(overlay, "ConfigMap")["data"])))
