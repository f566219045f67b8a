"""Manifests of Kubernetes, as `kubectl kustomize` builds them from an overlay."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

KUBECTL = Path(sys.executable).with_name("kubectl")
FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OVERLAYS = sorted(path.parent.name for path in FOLDER.glob("overlays/*/kustomization.yaml"))

Manifest = dict[str, Any]


@cache
def built(overlay: str) -> list[Manifest]:
    """Return the manifests of an overlay."""
    command = (KUBECTL, "kustomize", FOLDER / "overlays" / overlay)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str, name: str | None = None) -> Manifest:
    """Return the only manifest of a kind, or that with a name."""
    (found,) = (each for each in built(overlay) if each["kind"] == kind and name in (None, each["metadata"]["name"]))
    return found


def pod_templates(overlay: str) -> Iterator[Manifest]:
    """Yield the templates of pods: that of the workers, and that of the replay."""
    yield of_kind(overlay, "StatefulSet")["spec"]["template"]
    yield of_kind(overlay, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]


def container(template: Manifest) -> Manifest:
    """Return the only container of a template."""
    (found,) = template["spec"]["containers"]
    return dict(found)
