"""Check before tests: each extension module of the core is as new as its sources."""

from pathlib import Path
from typing import NoReturn

import pytest

from hatch_build import SUFFIX, sources, undeclared

WRONG_USAGE = 4
"""Exit status of pytest."""


def refuse_stale(root: Path) -> None:
    """Stop pytest at an extension module that is older than one of its sources, or has no declared source."""
    for module in undeclared(root):
        _stop(f"{module.relative_to(root)} has no .pxd file: run python hatch_build.py")
    for source in sources(root):
        module = source.with_suffix(SUFFIX)
        for file in (source, source.with_suffix(".pxd")):
            if module.exists() and file.exists() and module.stat().st_mtime_ns < file.stat().st_mtime_ns:
                newer = f"{file.relative_to(root)} is newer than its extension module"
                _stop(f"{newer}: run make install, or python hatch_build.py")


def _stop(reason: str) -> NoReturn:
    pytest.exit(reason, returncode=WRONG_USAGE)
