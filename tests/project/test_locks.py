"""Lock files: versions that pyproject.toml allows, hashes for all of them, and no index."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.locks import locked

PROJECT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-worker.lock"]
OWN = {"tacit-signals", "tacit-worker"}


def required(folder: Path, *extras: str) -> list[Requirement]:
    """Return the requirements of a distribution, its own packages left out."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [requirement for requirement in map(Requirement, lines) if requirement.name not in OWN]


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", ("avro", "protobuf", "tracing", "embedded", "plot", "dev")),
        ("requirements-worker.lock", ("avro", "protobuf", "tracing")),
    ],
)
def test_lock_satisfies_both_distributions(lock: str, extras: tuple[str, ...]) -> None:
    """After a change of dependencies `make lock` renews the locks."""
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in locked(lock)}
    for requirement in required(PROJECT, *extras) + required(PROJECT / "client"):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, f"{lock} is stale: make lock"


def test_worker_lock_is_part_of_the_lock() -> None:
    """An image runs the tested versions."""
    worker, everything = ({f"{pin.name}{pin.specifier}" for pin in locked(lock)} for lock in reversed(LOCKS))
    assert worker < everything


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_hashes_and_names_no_index(lock: str) -> None:
    """An index cannot replace a locked file."""
    text = (PROJECT / lock).read_text()
    assert len(re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(locked(lock))
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_build_backend_is_the_same_and_locked() -> None:
    """Both distributions are built by the version of hatchling that tests use, and the core by a locked Cython."""
    client, worker = (
        tomllib.loads((folder / "pyproject.toml").read_text())["build-system"]["requires"]
        for folder in (PROJECT / "client", PROJECT)
    )
    assert set(client) < set(worker)
    pinned = {pin.name: str(pin.specifier).removeprefix("==") for pin in locked("requirements.lock")}
    for requirement in map(Requirement, worker):
        assert pinned[requirement.name] in requirement.specifier
    assert {"hatchling", "cython"} <= {line.partition("==")[0] for line in worker}
