"""Temporary folders: gone after their context, and after the next one if the process was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from state.errors import StorageError
from state.temporary import temporary_folder

CODE = """
import sys
from pathlib import Path
from state.temporary import temporary_folder
with temporary_folder("tacit-test-", Path(sys.argv[1])) as path:
    (path / "users").write_bytes(b"x")
    print(path, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("is_killed", [True, False])
def test_folder_of_a_killed_process_goes_with_the_next_and_that_of_a_live_one_stays(
    is_killed: bool, tmp_path: Path
) -> None:
    (tmp_path / "tacit-test-notes").write_bytes(b"a file of others")
    (tmp_path / "tacit-test-state").mkdir()
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        if is_killed:
            os.kill(other.pid, signal.SIGKILL)
            other.wait()
        with temporary_folder("tacit-test-", tmp_path) as path:
            assert (left / "users").exists() is not is_killed
            assert path.parent == tmp_path
            assert path.name.startswith("tacit-test-")
        assert not path.exists()
        other.kill()
    assert (tmp_path / "tacit-test-notes").exists()
    assert (tmp_path / "tacit-test-state").exists()


def test_place_that_is_missing_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="No such file or directory"),
        temporary_folder("tacit-test-", tmp_path / "nowhere"),
    ):
        pass


def test_folder_goes_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), temporary_folder("tacit-test-", tmp_path):
        raise ValueError("wrong")
    assert list(tmp_path.iterdir()) == []
