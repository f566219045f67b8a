"""Manifests, Dockerfile and compose.yaml name variables of Tacit that exist."""

import re
from pathlib import Path

import pytest

from dataflows.setting_sources import OTHER_VARIABLES, file_variable_of, variable_of
from dataflows.settings import descriptions
from tests.support.manifests import FOLDER

PROJECT = FOLDER.parents[1]
FILES = [*FOLDER.rglob("*.yaml"), *FOLDER.rglob("*.toml"), PROJECT / "Dockerfile", PROJECT / "compose.yaml"]


def variables() -> set[str]:
    """Return the variables of settings, of files with secrets, and the others."""
    settings = descriptions()
    files = {file_variable_of(name) for name, setting in settings.items() if setting.is_secret}
    return {variable_of(name) for name in settings} | files | OTHER_VARIABLES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_variable_exists(path: Path) -> None:
    """A variable that Tacit does not know stops the start."""
    assert set(re.findall(r"\bTACIT_\w+", path.read_text())) <= variables()


def test_variables_are_found() -> None:
    """Otherwise the test above would show nothing."""
    named = {path.name for path in FILES if "TACIT_" in path.read_text()}
    assert {"stateful-set.yaml", "replay.yaml", "Dockerfile", "compose.yaml"} <= named
