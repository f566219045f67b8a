"""The two distributions: contents of wheels and source archives, installation of the client alone, and the command."""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from hatch_build import SHARED
from tests.support.locks import locked
from tests.support.quick_compiler import quick_compiler

PROJECT = Path(__file__).resolve().parents[2]
CLIENT = PROJECT / "client"
WORKER_PACKAGES = {"connectors", "dataflows", "operators", "state", "tacit_cli", "tacit_lab", "tacit_service"}
CLIENT_DATA = {"tacit/contract/catalogue.toml", "tacit/py.typed"}
WORKER_DATA = {
    "connectors/redis/scripts/gate.lua",
    "connectors/redis/scripts/gate_text.lua",
    "connectors/redis/scripts/history.lua",
    "connectors/redis/scripts/hold_namespace.lua",
    "connectors/redis/scripts/promote.lua",
    "connectors/redis/scripts/publish_population.lua",
    "connectors/redis/scripts/release_namespace.lua",
    "connectors/redis/scripts/write_signals.lua",
    "connectors/redis/users.acl",
    *(f"tacit_service/console/static/console.{kind}" for kind in ("css", "js")),
    *(
        f"tacit_service/console/templates/{name}.html"
        for name in ("base", "health", "login", "namespaces", "note", "overview", "proof", "status", "user")
    ),
    "tacit_service/page/languages/de.po",
    *(f"tacit_service/page/static/{name}" for name in ("htmx.min.js", "icon.svg", "page.css")),
    *(
        f"tacit_service/page/templates/{name}.html"
        for name in ("base", "confirm", "fragment", "main", "note", "page", "parts", "receipt", "why")
    ),
    *(f"{package}/py.typed" for package in WORKER_PACKAGES),
}
APPLICATION_PACKAGES = ("connectors", "dataflows", "operators", "state")
WORKER_MODULES = {"bytewax", "kafka", "numpy", "prometheus_client", "pydantic", "river", "rich", "structlog", "typer"}
READ = """
import sys
from tacit import AsyncSignalReader, SignalReader
for reader in (SignalReader, AsyncSignalReader):
    reader("redis://localhost", region="eu", secret="a secret of tests")
print(*sys.modules)
"""
OF_EXTRAS = ("tacit.openfeature", "tacit.sender.kafka_topic", "tacit.testing.plugin")
"""Modules that need an extra, or pytest."""
APPLICATION = f"""
import importlib, pkgutil, sys
import {", ".join(APPLICATION_PACKAGES)}
import tacit
for module in pkgutil.walk_packages(tacit.__path__, "tacit."):
    if module.name not in {OF_EXTRAS}:
        importlib.import_module(module.name)
print(*(sys.modules[name].OWNER for name in {APPLICATION_PACKAGES}))
"""


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with both source archives, and the wheels that were built from them."""
    folder, environment = tmp_path_factory.mktemp("dist"), quick_compiler(tmp_path_factory.mktemp("compiler"))
    for source in (CLIENT, PROJECT):
        _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source), **environment)
    return folder


@pytest.fixture(scope="session")
def client_wheel(dist: Path) -> Path:
    """Wheel of tacit-signals."""
    (wheel,) = dist.glob("tacit_signals-*.whl")
    return wheel


@pytest.fixture(scope="session")
def worker_wheel(dist: Path) -> Path:
    """Wheel of tacit-worker."""
    (wheel,) = dist.glob("tacit_worker-*.whl")
    return wheel


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File with the locked versions, without hashes: pip takes hashes for requested packages only."""
    file = tmp_path_factory.mktemp("constraints") / "versions.txt"
    file.write_text("".join(f"{requirement}\n" for requirement in locked("requirements.lock")))
    return file


@pytest.fixture(scope="session")
def index(constraints: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip tests that install packages if no package index answers."""
    folder = tmp_path_factory.mktemp("probe")
    options = ("--no-deps", "--dest", str(folder), "--constraint", str(constraints))
    probe = (sys.executable, "-m", "pip", "download", "--quiet", "--retries", "0", "--timeout", "15", *options)
    if subprocess.run((*probe, "hiredis"), capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a package index, and pip reaches none")


@pytest.fixture(scope="session")
def client_python(index: None, client_wheel: Path, constraints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the client's wheel, its dependencies and nothing else."""
    environment = tmp_path_factory.mktemp("client") / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = environment / "bin" / "python"
    _pip("--python", str(python), "install", "--constraint", str(constraints), str(client_wheel))
    return python


def test_client_wheel_holds_the_package_tacit_and_nothing_else(client_wheel: Path) -> None:
    """Only top-level name is `tacit`; modules and data files are those of the source tree."""
    held = _contents(client_wheel).keys()
    assert {name.partition("/")[0] for name in held if ".dist-info/" not in name} == {"tacit"}
    _assert_holds_source(client_wheel, CLIENT, {"tacit"}, CLIENT_DATA)


def test_worker_wheel_holds_its_packages_and_nothing_else(worker_wheel: Path) -> None:
    """Tests, benchmarks, examples and the package `tacit` are absent."""
    _assert_holds_source(worker_wheel, PROJECT, WORKER_PACKAGES, WORKER_DATA)


def test_worker_wheel_is_compiled_for_the_stable_abi(worker_wheel: Path) -> None:
    """Each module with a `.pxd` file has its extension module, and one wheel serves all versions of Python."""
    held = _contents(worker_wheel).keys()
    declared = {name.removesuffix(".pxd") for name in held if name.endswith(".pxd")}
    modules = {name.removesuffix(".abi3.so") for name in held if name.endswith(".abi3.so")}
    assert declared
    assert modules == declared | {SHARED.replace(".", "/")}
    assert "-cp311-abi3-" in worker_wheel.name


def test_source_archive_runs_uncompiled(dist: Path) -> None:
    """It holds the build, and no extension module of the machine on which it was made."""
    (archive,) = dist.glob("tacit_worker-*.tar.gz")
    with tarfile.open(archive) as held:
        names = [name.partition("/")[2] for name in held.getnames()]
    assert "hatch_build.py" in names
    assert not [name for name in names if name.endswith(".so")]


def test_metadata_states_licence_python_and_command(client_wheel: Path, worker_wheel: Path) -> None:
    """Only the worker has a command."""
    for wheel in (client_wheel, worker_wheel):
        files = {name.partition(".dist-info/")[2]: text for name, text in _contents(wheel).items()}
        metadata = files["METADATA"].decode()
        assert "License-Expression: Apache-2.0" in metadata
        assert "Requires-Python: <3.13,>=3.11.2" in metadata
        assert files["licenses/LICENSE"] == (PROJECT / "LICENSE").read_bytes()
        assert ("entry_points.txt" in files) == (wheel == worker_wheel)
    entry_points = next(text for name, text in _contents(worker_wheel).items() if name.endswith("entry_points.txt"))
    assert b"tacit = tacit_cli.__main__:main" in entry_points


def test_worker_requires_the_client_of_the_same_version(client_wheel: Path, worker_wheel: Path) -> None:
    """Contract and worker are released together."""
    version = client_wheel.name.split("-")[1]
    assert worker_wheel.name.split("-")[1] == version
    metadata = next(text for name, text in _contents(worker_wheel).items() if name.endswith("METADATA"))
    assert f"Requires-Dist: tacit-signals=={version}" in metadata.decode()


@pytest.mark.parametrize(
    ("name", "packages"), [("tacit_signals", {"tacit"}), ("tacit_worker", WORKER_PACKAGES | {"docs"})]
)
def test_source_archive_holds_packages_and_documents(name: str, packages: set[str], dist: Path) -> None:
    """Caches and environments are absent."""
    (archive,) = dist.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {Path(member).parts[1] for member in tar.getnames()}
        assert all(member.isreg() for member in tar.getmembers())
    assert names >= packages | {"pyproject.toml", "README.md", "LICENSE"}
    assert not {name for name in names if name.startswith(".")} - {".gitignore"}


def test_no_other_distribution_has_a_package_of_the_same_name() -> None:
    """Dependencies and packages of the worker can be imported side by side."""
    owners = packages_distributions()
    own = {"tacit-signals", "tacit-worker"}
    others = {name: set(owners.get(name, [])) - own for name in WORKER_PACKAGES | {"tacit"}}
    assert others == {name: set() for name in WORKER_PACKAGES | {"tacit"}}


def test_client_installs_light(client_python: Path) -> None:
    """Dependencies of the client are msgspec and redis-py; no command is installed."""
    listed = _pip("--python", str(client_python), "list", "--format", "freeze").split()
    names = {line.partition("==")[0] for line in listed}
    assert names == {"tacit-signals", "msgspec", "redis", "hiredis"} | (names & {"async-timeout"})
    assert not client_python.with_name("tacit").exists()


def test_client_alone_makes_readers(client_python: Path) -> None:
    """A reader works without any package of the worker."""
    loaded = {name.partition(".")[0] for name in _run(str(client_python), "-I", "-c", READ).split()}
    assert {"tacit", "redis", "msgspec"} <= loaded
    assert not loaded & (WORKER_MODULES | WORKER_PACKAGES)


def test_client_leaves_the_packages_of_an_application_alone(client_python: Path, tmp_path: Path) -> None:
    """Each module of `tacit` is imported next to the application's own `state`, `operators` and others."""
    for package in APPLICATION_PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("OWNER = 'application'\n")
    (tmp_path / "application.py").write_text(APPLICATION)
    owners = _run(str(client_python), str(tmp_path / "application.py")).split()
    assert owners == ["application"] * len(APPLICATION_PACKAGES)


def test_reader_loads_no_module_of_an_installed_worker() -> None:
    """A process that only reads does not pay for packages that are installed in the same environment."""
    loaded = {name.partition(".")[0] for name in _run(sys.executable, "-c", READ).split()}
    assert not loaded & (WORKER_MODULES | WORKER_PACKAGES)


def test_worker_installs_with_its_extras(
    client_python: Path, client_wheel: Path, worker_wheel: Path, constraints: Path
) -> None:
    """Dependencies of the worker, of the demo and of plots resolve to the locked versions."""
    wheels = (str(client_wheel), f"{worker_wheel}[embedded,plot]")
    _pip("--python", str(client_python), "install", "--dry-run", "--constraint", str(constraints), *wheels)


def test_command_and_module_do_the_same() -> None:
    """`tacit` and `python -m tacit_cli` print the same help."""
    command = str(Path(sys.executable).with_name("tacit"))
    module = _run(sys.executable, "-m", "tacit_cli", "--help").replace("python -m tacit_cli", "tacit")
    assert _run(command, "--help").split() == module.split()


def test_client_licence_is_that_of_the_project() -> None:
    """A copy: hatchling takes no licence from outside the client's folder, and its source archive would keep a link."""
    assert (CLIENT / "LICENSE").read_bytes() == (PROJECT / "LICENSE").read_bytes()


def _assert_holds_source(wheel: Path, root: Path, packages: set[str], data: set[str]) -> None:
    held = {name for name in _contents(wheel) if ".dist-info/" not in name}
    source = {
        path.relative_to(root).as_posix()
        for package in packages
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so"
    }
    held = {name for name in held if not name.endswith(".so")}
    assert held == source
    assert {name for name in held if not name.endswith((".py", ".pxd"))} == data


def _contents(wheel: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pip(*words: str) -> str:
    return _run(sys.executable, "-m", "pip", "--disable-pip-version-check", *words)


def _run(*command: str, **environment: str) -> str:
    known = os.environ | environment
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, env=known)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
