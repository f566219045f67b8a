"""How much a state folder holds, how old it is, and who uses it."""

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
from tests.support.histories import STORIES, printed, tell
from tests.support.replays import now_ms

IDENTITY = Identity(16, "eu", "n", "files", "")


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `state` is what the stories leave."""
    folder = tmp_path_factory.mktemp("stories")
    tell(folder)
    return folder


def stats(cwd: Path) -> dict[str, Any]:
    return folder_stats(cwd / "state", now_ms())


def test_stats_are_those_of_the_folder(cwd: Path) -> None:
    """People, shards, checkpoints, bytes: as the file system has them."""
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
    """Workers do not wait for whoever counts."""
    assert disk_bytes([tmp_path / "gone"]) == 0


def test_stats_need_no_secret(cwd: Path) -> None:
    """Whatever watches the folder need not know it; scripts get all of it, with a row per shard."""
    done = tacit("state", "stats", "--json", cwd=cwd, TACIT_SECRET="", TACIT_STATE="state")
    assert (done.returncode, done.stderr) == (0, "")
    found, expected = json.loads(done.stdout), stats(cwd)
    assert found.keys() == expected.keys()
    assert found["users"] == expected["users"]


def test_stats_are_shown_at_a_glance(cwd: Path) -> None:
    """Shards one by one only if asked for."""
    said = printed(cwd, "stats", "--by-shard")
    assert re.search(r"^people +4 *$", said, re.MULTILINE)
    assert re.search(r"^newest checkpoint +1, .* old \(\d{4}-.*Z\) *$", said, re.MULTILINE)
    rows = said.partition("shard  people")[2].splitlines()[1:]
    assert len(rows) == len(stats(cwd)["by_shard"])
    assert "shard  people" not in printed(cwd, "stats")


def test_folder_in_use_says_by_whom(tmp_path: Path) -> None:
    """As the kernel has it: a lock taken to find out could turn away a run that starts."""
    with locked(tmp_path / "state", IDENTITY, NumberedCatalogue.load()):
        assert stats(tmp_path)["used_by_pid"] == os.getpid()
        assert f"by process {os.getpid()}" in printed(tmp_path, "stats")
    assert stats(tmp_path)["used_by_pid"] is None


def test_new_folder_has_nobody_yet(tmp_path: Path) -> None:
    """A run that has not come to its first epoch's end."""
    with locked(tmp_path / "state", IDENTITY, NumberedCatalogue.load()):
        pass
    found = stats(tmp_path)
    assert (found["users"], found["checkpoint"], found["age_s"], found["by_shard"]) == (0, None, None, [])
    assert "none yet" in printed(tmp_path, "stats")
