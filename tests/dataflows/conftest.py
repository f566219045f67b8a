"""Fixtures of the dataflow's tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in an empty folder without variables of Tacit."""
    for name in os.environ:
        if name.startswith("TACIT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
