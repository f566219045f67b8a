"""Temporary shards: a killed run leaves a folder, which the next run deletes."""

import subprocess
import sys
from pathlib import Path

import pytest

from state.storage.temporary_folder import TemporaryShards

HOLDER = """
import sys
from state.storage.temporary_folder import TemporaryShards
print(TemporaryShards().path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_folder_of_a_killed_run_is_deleted_and_that_of_a_living_one_stays() -> None:
    """The lock of the folder distinguishes both."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        theirs = Path(holder.stdout.readline().decode().strip())
        ours = TemporaryShards()
        assert theirs.exists()
        holder.kill()
        holder.wait()
    assert theirs.exists()
    TemporaryShards().cleanup()
    assert not theirs.exists()
    assert ours.path.exists()
    ours.cleanup()
    assert not ours.path.exists()
