"""Build hook of hatchling: compiles the core with Cython, where there is a C compiler.

A module with a `.pxd` file of the same name is compiled; its `.py` file also runs uncompiled, with the same results.
The variable `TACIT_COMPILE` decides: 1 requires the compiled form, 0 leaves it out. By default a failure is printed,
and the core runs uncompiled.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

PACKAGES = ("state",)
"""Packages with compiled modules."""

OLDEST_PYTHON = ("cp311", "0x030B0000")
"""Tag and hexadecimal version of the stable ABI."""

SHARED = "state.row.compiled_views"
"""Extension module with the code of typed views, which the others share."""

SUFFIX = ".abi3.so"
"""End of the name of an extension module."""

FLAGS = ["-O2", "-g0", "-ffp-contract=off"]
"""The last flag keeps formulas the same on processors that multiply and add in one step."""

DIRECTIVES = {
    "annotation_typing": False,  # types come from .pxd files; annotations serve mypy and readers
    "boundscheck": True,
    "nonecheck": True,
    "cdivision": False,  # quotients are rounded as Python rounds them
    "infer_types": True,
    "initializedcheck": True,
    "language_level": 3,
    "wraparound": False,
}
"""Directives of Cython."""


class CompileCore(BuildHookInterface[Any]):
    """Adds extension modules to wheels and to editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the core in place, and tag the wheel with the platform.

        A wheel gets no extension module of an earlier build: dates of files that were copied may be of any time.
        """
        root = Path(self.root)
        wanted = os.environ.get("TACIT_COMPILE", "")
        if wanted not in ("", "0", "1"):
            raise ValueError(f"TACIT_COMPILE is 1, 0 or empty, not {wanted!r}")
        if self.target_name != "wheel":
            return
        if wanted == "0":
            if kept := self.kept(root, version):
                raise OSError(NOT_REMOVED.format(path=kept[0]))
            return
        try:
            compile_core(root, force=version == "standard")
        except (Exception, SystemExit) as error:  # exceptions of setuptools, of Cython and of the compiler
            kept = self.kept(root, version)
            if kept:
                error.add_note(NOT_REMOVED.format(path=kept[0]))
            if kept or wanted == "1":
                raise
            print(NOT_COMPILED.format(error=error), file=sys.stderr)  # noqa: T201
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"{OLDEST_PYTHON[0]}-abi3-{next(platform_tags())}"
        build_data["artifacts"] += [str(path.relative_to(root)) for path in compiled(root)]

    def kept(self, root: Path, version: str) -> list[Path]:
        """Remove the extension modules in place; return those that stay and would run."""
        return [
            path
            for path in remove_compiled(root)
            if version == "editable" or self.build_config.include_path(str(path.relative_to(root)))
        ]


NOT_COMPILED = """\
The core is not compiled, and runs as plain Python, many times slower: {error}
Install a C compiler and the headers of Python (Debian: apt-get install gcc python3-dev), then install Tacit again.
"""

NOT_REMOVED = "{path} cannot be removed, and would run in place of its source"


def sources(root: Path) -> list[Path]:
    """Return the modules to compile."""
    declared = [path for package in PACKAGES for path in (root / package).rglob("*.pxd")]
    return sorted(path.with_suffix(".py") for path in declared)


def compiled(root: Path) -> list[Path]:
    """Return the extension modules in place."""
    return [path for package in PACKAGES for path in sorted((root / package).rglob(f"*{SUFFIX}"))]


def extension_modules(root: Path) -> list[Path]:
    """Return the paths of the extension modules with a declared source, and of the shared one."""
    shared = root.joinpath(*SHARED.split(".")).with_suffix(SUFFIX)
    return [shared, *(path.with_suffix(SUFFIX) for path in sources(root))]


def undeclared(root: Path) -> list[Path]:
    """Return the extension modules in place without a declared source: each would win over its `.py` file."""
    declared = set(extension_modules(root))
    return [path for path in compiled(root) if path not in declared]


def is_older_than_build(module: Path) -> bool:
    """Return whether an extension module is missing, or older than this file with its flags and directives."""
    return not module.exists() or module.stat().st_mtime_ns < Path(__file__).stat().st_mtime_ns


def remove_compiled(root: Path) -> list[Path]:
    """Remove the extension modules in place, so that no module is older than its source; return those that stay."""
    for path in compiled(root):
        with suppress(OSError):  # a source tree without write access
            path.unlink()
    return compiled(root)


def compile_core(root: Path, *, force: bool = False) -> None:
    """Compile modules to extension modules in their folders.

    Without `force`, modules that changed; all, if one of the extension modules is missing or older than this file.
    """
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    os.chdir(root)
    for path in undeclared(root):
        path.unlink()
    force = force or any(map(is_older_than_build, extension_modules(root)))

    def extension(name: str, files: list[str]) -> Any:
        macros = [("Py_LIMITED_API", OLDEST_PYTHON[1])]
        return Extension(name, files, py_limited_api=True, define_macros=macros, extra_compile_args=FLAGS)

    modules = [path.relative_to(root) for path in sources(root)]
    built = cythonize(
        [extension(SHARED, []), *(extension(".".join(path.with_suffix("").parts), [str(path)]) for path in modules)],
        build_dir="build/c",
        compiler_directives=DIRECTIVES,
        force=force or None,  # None: as CYTHON_FORCE_REGEN asks
        quiet=True,
        shared_utility_qualified_name=SHARED,
    )
    command = build_ext(Distribution({"ext_modules": built}))
    command.inplace, command.build_temp, command.parallel = True, "build/o", os.cpu_count()
    command.force = force
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    compile_core(Path(__file__).resolve().parent)
