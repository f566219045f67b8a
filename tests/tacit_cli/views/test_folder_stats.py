"""Figures of a state folder: size, age, and the process that uses it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from dataflows.state_folder import FORMAT, Identity, locked
from state.catalogue.numbered import NumberedCatalogue
from tacit_cli.views.folder_stats import disk_bytes, folder_stats
from tests.support.commands import tacit
from tests.support.histories import STORIES, make_state, printed
from tests.support.replays import now_ms

IDENTITY = Identity(16, "eu", "n", "files", "")


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the state folder `state`."""
    folder = tmp_path_factory.mktemp("stories")
    make_state(folder)
    return folder


def stats(cwd: Path) -> dict[str, Any]:
    return folder_stats(cwd / "state", now_ms())


def test_stats_are_those_of_the_folder(cwd: Path) -> None:
    """Users, shards, checkpoints and bytes agree with the file system."""
    found = stats(cwd)
    assert (found["users"], found["shards"], found["format"]) == (len(STORIES), 16, FORMAT)
    assert (found["region"], found["namespace"], found["source"]) == ("eu", "n", "files")
    assert found["used_by_pid"] is None
    assert found["checkpoint"] == 1
    assert 0 <= found["age_s"] < 600
    assert sum(one["users"] for one in found["by_shard"]) == len(STORIES)
    assert found["bytes"] == disk_bytes([cwd / "state"]) > found["checkpoint_bytes"] > 0


def test_files_with_several_names_are_counted_once(tmp_path: Path) -> None:
    """Checkpoints share their tables."""
    (tmp_path / "a").write_bytes(bytes(8192))
    once = disk_bytes([tmp_path])
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert disk_bytes([tmp_path, tmp_path]) == once >= 8192


def test_file_that_goes_meanwhile_counts_for_nothing(tmp_path: Path) -> None:
    """Workers do not wait for the count."""
    assert disk_bytes([tmp_path / "gone"]) == 0


def test_stats_need_no_secret(cwd: Path) -> None:
    """A monitor needs no secret; the document has a row per shard."""
    done = tacit("state", "stats", "--json", cwd=cwd, TACIT_SECRET="", TACIT_STATE="state")
    assert (done.returncode, done.stderr) == (0, "")
    found, expected = json.loads(done.stdout), stats(cwd)
    assert found.keys() == expected.keys()
    assert found["users"] == expected["users"]


def test_stats_are_shown_at_a_glance(cwd: Path) -> None:
    """Shards one by one only if asked for."""
    output = printed(cwd, "stats", "--by-shard")
    assert re.search(r"^users +4 *$", output, re.MULTILINE)
    assert re.search(r"^newest checkpoint +1, .* old \(\d{4}-.*Z\) *$", output, re.MULTILINE)
    rows = output.partition("shard  users")[2].splitlines()[1:]
    assert len(rows) == len(stats(cwd)["by_shard"])
    assert "shard  users" not in printed(cwd, "stats")


def test_folder_in_use_has_the_process(tmp_path: Path) -> None:
    """From the list of the kernel: a lock to find out could make a starting run fail."""
    with locked(tmp_path / "state", IDENTITY, NumberedCatalogue.load()):
        assert stats(tmp_path)["used_by_pid"] == os.getpid()
        assert f"by process {os.getpid()}" in printed(tmp_path, "stats")
    assert stats(tmp_path)["used_by_pid"] is None


def test_new_folder_has_no_users(tmp_path: Path) -> None:
    """The run has no checkpoint yet."""
    with locked(tmp_path / "state", IDENTITY, NumberedCatalogue.load()):
        pass
    found = stats(tmp_path)
    assert (found["users"], found["checkpoint"], found["age_s"], found["by_shard"]) == (0, None, None, [])
    assert "none yet" in printed(tmp_path, "stats")
