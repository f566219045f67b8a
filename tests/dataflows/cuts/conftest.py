"""Fixtures of the tests of cuts: a state folder of a replay, copied for each test, and an empty store in a folder."""

import shutil
from pathlib import Path

import pytest

from dataflows.cuts.bucket import Bucket
from tests.support.cuts import folder_bucket
from tests.support.histories import make_state


@pytest.fixture(scope="session")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayed")
    make_state(folder)
    return folder / "state"


@pytest.fixture
def state(replayed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(replayed, tmp_path / "state"))


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return folder_bucket(tmp_path / "bucket")
