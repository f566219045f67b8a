"""What is shipped: the wheel, the source archive, the locks, and how light a reader is."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = {"connectors", "dataflows", "operators", "state", "tacit_cli", "tacit_lab"}
SHIPPED_DATA = {
    "connectors/redis/scripts/gate.lua",
    "connectors/redis/scripts/publish_population.lua",
    "connectors/redis/users.acl",
    "connectors/redis/scripts/write_signals.lua",
    "client/tacit/contract/catalogue.toml",
    *(f"{package}/py.typed" for package in PACKAGES),
}
WORKERS_OWN = {"bytewax", "kafka", "numpy", "prometheus_client", "pydantic", "river", "rich", "structlog", "typer"}
READER = """
import sys
from tacit import AsyncSignalReader, SignalReader
for kind in (SignalReader, AsyncSignalReader):
    kind("redis://localhost", region="eu", secret="a secret of tests")
print(*sys.modules)
"""


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the source archive, the wheel made from the latter."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(PROJECT))
    return folder


@pytest.fixture(scope="session")
def wheel(archives: Path) -> Path:
    (wheel,) = archives.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the versions of the lock; pip takes no hashes for what it is not asked for by name."""
    file = tmp_path_factory.mktemp("constraints") / "versions.txt"
    file.write_text("".join(f"{requirement}\n" for requirement in locked("requirements.lock")))
    return file


@pytest.fixture(scope="session")
def index(constraints: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip what installs packages where there is nowhere to have them from."""
    folder = tmp_path_factory.mktemp("probe")
    one = ("--no-deps", "--dest", str(folder), "--constraint", str(constraints), "hiredis")
    probe = (sys.executable, "-m", "pip", "download", "--quiet", "--retries", "0", "--timeout", "15", *one)
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a package index, and pip reaches none")


@pytest.fixture(scope="session")
def reader(index: None, wheel: Path, constraints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a fresh environment with the wheel and what it asks for, and nothing else."""
    environment = tmp_path_factory.mktemp("reader") / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    python = environment / "bin" / "python"
    _pip("--python", str(python), "install", "--constraint", str(constraints), str(wheel))
    return python


def locked(name: str) -> list[Requirement]:
    """Return what a lock pins."""
    return [Requirement(line.rstrip(" \\")) for line in (PROJECT / name).read_text().splitlines() if line[:1].isalnum()]


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    """Every module and data file of the five packages is there; tests, benchmarks and examples are not."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    tracked = {
        path.relative_to(PROJECT).as_posix()
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == tracked
    assert {name for name in held if not name.endswith(".py")} == SHIPPED_DATA


def test_wheel_says_what_it_is(wheel: Path) -> None:
    """Licence, Python versions and the command are in its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name.partition(".dist-info/")[2]: archive.read(name).decode() for name in archive.namelist()}
    assert "License-Expression: Apache-2.0" in files["METADATA"]
    assert "Requires-Python: <3.13,>=3.11" in files["METADATA"]
    assert files["licenses/LICENSE"] == (PROJECT / "LICENSE").read_text()
    assert "tacit = tacit_cli.__main__:main" in files["entry_points.txt"]


def test_source_archive_holds_what_it_should(archives: Path) -> None:
    """It builds the wheel, carries the documents, and leaves caches and environments out."""
    (archive,) = archives.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {Path(name).parts[1] for name in tar.getnames()}
    assert names >= PACKAGES | {"docs", "pyproject.toml", "README.md", "LICENSE"}
    assert not {name for name in names if name.startswith(".")} - {".gitignore"}


def test_top_level_names_are_ours_alone() -> None:
    """The packages' names are short; no other distribution that is installed here has one of them."""
    owners = packages_distributions()
    others = {name: set(owners.get(name, [])) - {"tacit-signals"} for name in PACKAGES}
    assert others == {name: set() for name in PACKAGES}


def test_reader_installs_light(reader: Path) -> None:
    """A reader gets msgspec and redis, and none of what a worker needs."""
    listed = _pip("--python", str(reader), "list", "--format", "freeze").split()
    names = {line.partition("==")[0] for line in listed}
    assert names == {"tacit-signals", "msgspec", "redis", "hiredis"} | (names & {"async-timeout"})


def test_reader_imports_light(reader: Path) -> None:
    """Making a reader works with that, and loads none of a worker's modules."""
    loaded = {name.partition(".")[0] for name in _run(str(reader), "-I", "-c", READER).split()}
    assert {"tacit", "redis", "msgspec"} <= loaded
    assert not loaded & (WORKERS_OWN | {"dataflows", "operators"})


def test_reader_loads_none_of_the_workers_modules_where_they_are_installed() -> None:
    """A process that only reads pays nothing for what is installed beside it."""
    loaded = {name.partition(".")[0] for name in _run(sys.executable, "-c", READER).split()}
    assert not loaded & (WORKERS_OWN | {"dataflows", "operators"})


def test_command_says_what_to_install(reader: Path) -> None:
    """Without a worker's dependencies the command answers in one line, not in a traceback."""
    run = subprocess.run([reader.with_name("tacit"), "--help"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        "tacit: typer is not installed; the command line needs pip install 'tacit-signals[worker]'"
    ]


def test_extras_resolve(reader: Path, wheel: Path, constraints: Path) -> None:
    """What a worker and the demo need can be had in the locked versions."""
    wanted = f"{wheel}[worker,embedded]"
    _pip("--python", str(reader), "install", "--dry-run", "--constraint", str(constraints), wanted)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("requirements.lock", ("worker", "embedded", "dev")), ("requirements-worker.lock", ("worker",))],
)
def test_lock_satisfies_the_project(lock: str, extras: tuple[str, ...]) -> None:
    """Whoever changes a dependency renews the locks: `make lock`."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in locked(lock)}
    for requirement in map(Requirement, asked):
        if requirement.name != "tacit-signals":
            assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, f"{lock} is stale: make lock"


def test_worker_lock_is_part_of_the_lock() -> None:
    """An image runs what was tested."""
    worker, everything = (
        {f"{pin.name}{pin.specifier}" for pin in locked(lock)}
        for lock in ("requirements-worker.lock", "requirements.lock")
    )
    assert worker < everything


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-worker.lock"])
def test_lock_is_hashed_and_names_no_index(lock: str) -> None:
    """Whatever index serves the files, they are the ones that were locked."""
    text = (PROJECT / lock).read_text()
    assert len(re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(locked(lock))
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def _pip(*words: str) -> str:
    return _run(sys.executable, "-m", "pip", "--disable-pip-version-check", *words)


def _run(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
