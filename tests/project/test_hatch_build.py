"""The build of the core: compiled where it can be, loudly uncompiled where not, and as the variable asks."""

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.extension_modules import WRONG_USAGE, refuse_stale

PROJECT = Path(__file__).resolve().parents[2]
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "small"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["state"]
[tool.hatch.build.hooks.custom]
path = "hatch_build.py"
"""
EDITABLE = ("-m", "hatchling", "build", "--target", "wheel:editable")
"""Command of Python that makes an editable wheel."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one compiled module, whose build is the product's, but for the optimization."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "hatch_build.py").write_text((PROJECT / "hatch_build.py").read_text().replace("-O2", "-O0"))
    for package in ("learning", "row"):
        (tmp_path / "state" / package).mkdir(parents=True)
    for name in ("state/__init__.py", "state/learning/__init__.py", "state/row/__init__.py"):
        (tmp_path / name).touch()
    for suffix in (".py", ".pxd"):
        shutil.copy(PROJECT / "state" / "learning" / f"probit{suffix}", tmp_path / "state" / "learning")
    return tmp_path


def _build(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", str(project))
    return _run(project, *command, **environment)


def _run(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: text for name, text in os.environ.items() if name != "TACIT_COMPILE"}
    return subprocess.run(command, cwd=project, env=known | environment, capture_output=True, text=True, check=False)


def _compile(project: Path, *command: str) -> dict[str, int]:
    """Compile in place; return the time of change of each extension module."""
    done = _run(project, sys.executable, *(command or ("hatch_build.py",)))
    assert done.returncode == 0, done.stderr
    return {path.name: path.stat().st_mtime_ns for path in project.rglob("state/**/*.abi3.so")}


def _modules(project: Path) -> list[str]:
    (wheel,) = (project / "dist").glob("*.whl")
    return [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]


def test_module_with_types_is_compiled(project: Path) -> None:
    """By default, with the code that all modules share."""
    done = _build(project)
    assert done.returncode == 0, done.stderr
    assert sorted(_modules(project)) == ["state/learning/probit.abi3.so", "state/row/compiled_views.abi3.so"]


def test_failed_compilation_leaves_plain_python(project: Path) -> None:
    """It is printed, with what to install."""
    done = _build(project, CC="false")
    assert done.returncode == 0, done.stderr
    assert "The core is not compiled" in done.stderr + done.stdout
    assert _modules(project) == []


def test_required_compilation_fails_the_build(project: Path) -> None:
    """An image or CI never runs uncompiled by accident."""
    assert _build(project, CC="false", TACIT_COMPILE="1").returncode != 0
    assert not (project / "dist").exists() or not list((project / "dist").glob("*.whl"))


def test_compilation_can_be_left_out(project: Path) -> None:
    """The wheel is for every platform."""
    assert _build(project, TACIT_COMPILE="0").returncode == 0
    assert _modules(project) == []
    (wheel,) = (project / "dist").glob("*.whl")
    assert wheel.name.endswith("-none-any.whl")


def test_extension_module_without_declaration_is_removed(project: Path) -> None:
    """A module that is compiled no longer, or has another name, runs from its source."""
    stale = project / "state" / "learning" / "renamed.abi3.so"
    stale.touch()
    assert _build(project).returncode == 0
    assert not stale.exists()
    assert sorted(_modules(project)) == ["state/learning/probit.abi3.so", "state/row/compiled_views.abi3.so"]


def test_wheel_has_a_source_whose_date_is_older(project: Path) -> None:
    """A copy that keeps dates brings changes with a date before the last build."""
    _compile(project)
    source = project / "state" / "learning" / "probit.py"
    before = source.stat()
    source.write_text(f"{source.read_text()}\nCHANGED = 'changed'\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _build(project).returncode == 0
    show = "import state.learning.probit as probit; print(probit.__file__, probit.CHANGED)"
    done = _run(project, sys.executable, "-c", show)
    assert done.stdout.endswith("probit.abi3.so changed\n"), done.stderr


def test_compilation_in_place_is_that_of_the_newest_build(project: Path) -> None:
    """It compiles changed modules; all of them with another `hatch_build.py`, or if an extension module is missing."""
    first = _compile(project)
    assert _compile(project, *EDITABLE) == first
    (project / "hatch_build.py").touch()
    second = _compile(project, *EDITABLE)
    assert not set(first.values()) & set(second.values())
    assert _compile(project) == second
    (project / "state" / "row" / "compiled_views.abi3.so").unlink()
    assert not set(second.values()) & set(_compile(project).values())


@pytest.fixture
def stuck(project: Path) -> Path:
    """Return an extension module in place that cannot be removed: a folder, as root removes each file."""
    module = project / "state" / "learning" / "probit.abi3.so"
    module.mkdir()
    return module


def test_tree_without_write_access_is_built_uncompiled(project: Path, stuck: Path) -> None:
    """Extension modules that git ignores are in no wheel."""
    (project / ".gitignore").write_text("*.abi3.so\n")
    done = _build(project, CC="false")
    assert done.returncode == 0, done.stderr
    assert "The core is not compiled" in done.stderr + done.stdout
    assert _modules(project) == []
    assert _build(project, TACIT_COMPILE="0").returncode == 0


@pytest.mark.parametrize("wanted", ["", "1"])
def test_failed_build_shows_the_error_of_the_compiler(wanted: str, project: Path, stuck: Path) -> None:
    """Extension modules that stay would be in the wheel."""
    done = _build(project, CC="false", TACIT_COMPILE=wanted)
    assert done.returncode != 0
    printed = done.stderr + done.stdout
    assert "CompileError: " in printed
    assert "probit.abi3.so cannot be removed" in printed
    assert "Is a directory" not in printed


def test_editable_build_fails_with_extension_modules_that_stay(project: Path, stuck: Path) -> None:
    """Python would prefer them to their sources."""
    (project / ".gitignore").write_text("*.abi3.so\n")
    done = _run(project, sys.executable, *EDITABLE, TACIT_COMPILE="0")
    assert done.returncode != 0
    assert "probit.abi3.so cannot be removed" in done.stderr + done.stdout


def test_variable_with_another_value_fails_the_build(project: Path) -> None:
    """It names the values."""
    done = _build(project, TACIT_COMPILE="true")
    assert done.returncode != 0
    assert "TACIT_COMPILE is 1, 0 or empty, not 'true'" in done.stderr + done.stdout


@pytest.mark.parametrize("suffix", [".py", ".pxd"])
def test_tests_of_a_stale_extension_module_do_not_start(suffix: str, project: Path) -> None:
    """Its source, or the declaration of its types, was changed after the build."""
    module = project / "state" / "learning" / "probit.abi3.so"
    refuse_stale(project)
    module.touch()
    refuse_stale(project)
    changed = module.stat().st_mtime_ns + 1_000_000_000
    os.utime(module.with_name(f"probit{suffix}"), ns=(changed, changed))
    with pytest.raises(pytest.exit.Exception) as stopped:
        refuse_stale(project)
    assert stopped.value.returncode == WRONG_USAGE
    message = f"state/learning/probit{suffix} is newer than its extension module: run make install, or python"
    assert str(stopped.value).startswith(message)


def test_tests_of_an_undeclared_extension_module_do_not_start(project: Path) -> None:
    """Python prefers it to the source."""
    (project / "state" / "learning" / "renamed.abi3.so").touch()
    with pytest.raises(pytest.exit.Exception, match=r"state/learning/renamed\.abi3\.so has no \.pxd file"):
        refuse_stale(project)


def test_extension_modules_of_a_build_are_new(project: Path) -> None:
    """Changes of a source are compiled."""
    for _ in range(2):
        _compile(project)
        refuse_stale(project)
        (project / "state" / "learning" / "probit.pxd").touch()
    with pytest.raises(pytest.exit.Exception, match=r"probit\.pxd"):
        refuse_stale(project)


@pytest.mark.parametrize(
    ("is_compiled", "worker", "stops"), [(True, {}, True), (False, {}, False), (True, {"workerinput": {}}, False)]
)
def test_check_is_at_the_start_of_tests(
    is_compiled: bool, worker: dict[str, object], stops: bool, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of none whose core runs from its sources, and of none in a worker of xdist, which starts after the check."""
    (project / "state" / "learning" / "renamed.abi3.so").touch()
    conftest = import_module("tests.conftest")
    monkeypatch.setattr(conftest, "PROJECT", project)
    monkeypatch.setattr(conftest, "COMPILED", is_compiled)
    with pytest.raises(pytest.exit.Exception) if stops else nullcontext():
        conftest.pytest_configure(SimpleNamespace(**worker))
