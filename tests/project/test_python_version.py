"""Oldest Python that requires-python allows: Debian's interpreter, if present, imports every module."""

import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parents[2]
DEBIAN_PYTHON = Path("/usr/bin/python3")
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not module.name.startswith("benchmarks.peers.") or module.name in PEERS:
            importlib.import_module(module.name)
"""
PEERS = ("benchmarks.peers.job", "benchmarks.peers.environments", "benchmarks.peers.bytewax_job")
"""Modules of the jobs of other systems that need none of their packages."""


def required_python(folder: Path) -> SpecifierSet:
    """Return the versions that a distribution allows."""
    return SpecifierSet(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["requires-python"])


def test_both_distributions_allow_the_same_versions() -> None:
    """Debian 12 has the oldest allowed version, 3.11.2."""
    allowed = required_python(PROJECT)
    assert allowed == required_python(PROJECT / "client")
    assert "3.11.2" in allowed
    assert "3.11.1" not in allowed


def test_debians_python_imports_every_module() -> None:
    """Dependencies come from the environment of the tests, whose Python must have the same minor version."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = _version(DEBIAN_PYTHON) if DEBIAN_PYTHON.exists() else "0"
    if version not in required_python(PROJECT) or not version.startswith(f"{minor}."):
        pytest.skip(f"{DEBIAN_PYTHON} is not a supported Python {minor}")
    packages = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["mypy"]["packages"]
    path = [str(PROJECT), str(PROJECT / "client"), sysconfig.get_path("platlib")]
    done = subprocess.run(
        (DEBIAN_PYTHON, "-B", "-c", f"PEERS = {PEERS}\n{IMPORT_ALL}", *packages),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def _version(python: Path) -> str:
    code = "import platform; print(platform.python_version())"
    return subprocess.run((python, "-c", code), capture_output=True, text=True, check=True).stdout.strip()
