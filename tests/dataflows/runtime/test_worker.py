"""Worker: a damaged recovery store or checkpoint is an error of one line."""

import shutil
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from state.storage.manifest import MANIFEST_FILE
from tests.support.commands import everything_in, tacit
from tests.support.replays import redis_of_its_own, replay, write_history
from tests.support.shard_stores import DAMAGES

PARTS = 4


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a history and the state folder of its replay."""
    folder = tmp_path_factory.mktemp("used")
    write_history(folder / "events.jsonl")
    with redis_of_its_own() as (url, _):
        replay(url, "events.jsonl", "--state", "state", cwd=folder)
    return folder


@pytest.fixture
def folder(used: Path, tmp_path: Path) -> Path:
    """Return a copy for a test to damage."""
    return shutil.copytree(used, tmp_path / "copy")


def _error(folder: Path, *words: str) -> str:
    """Run a replay that fails, and return its one line of error; Redis stays empty."""
    with redis_of_its_own() as (url, client):
        done = tacit(
            "replay", "events.jsonl", "--state", "state", "--redis", url, *words, cwd=folder, RUST_BACKTRACE="1"
        )
        assert everything_in(client) == {}
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("missing", [1, PARTS])
def test_store_without_some_parts_is_damaged(missing: int, folder: Path) -> None:
    """One part or all parts are missing."""
    for number in range(missing):
        (folder / "state" / "recovery" / f"part-{number}.sqlite3").unlink()
    line = _error(folder)
    assert line.startswith("tacit: state/recovery is damaged: ")
    assert line.endswith("restore the whole state folder from a backup, or give another\n")


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_store_without_a_database_is_damaged(content: bytes, folder: Path) -> None:
    """The parts are empty or overwritten."""
    for number in range(PARTS):
        (folder / "state" / "recovery" / f"part-{number}.sqlite3").write_bytes(content)
    assert _error(folder).startswith("tacit: state/recovery is damaged: ")


def test_truncated_store_is_damaged(folder: Path) -> None:
    """A full disk or a failed copy truncates a file."""
    part = folder / "state" / "recovery" / "part-0.sqlite3"
    part.write_bytes(part.read_bytes()[:3000])
    assert _error(folder).startswith("tacit: state/recovery is damaged: ")


# tests/state/storage/test_checkpoint_folder.py tests each file of a checkpoint with each damage


@pytest.mark.parametrize(
    ("pattern", "damage", "processes"),
    [
        ("*.sst", "missing", "1"),
        ("*.sst", "a bit flipped", "1"),
        ("MANIFEST-*", "a bit flipped", "1"),
        ("MANIFEST-*", "cut by a byte", "1"),
        (MANIFEST_FILE, "missing", "1"),
        ("*.sst", "a bit flipped", "2"),
    ],
)
def test_damaged_checkpoint_is_an_error(pattern: str, damage: str, processes: str, folder: Path) -> None:
    """The error comes at the start and names shard, checkpoint, file and remedy."""
    checkpoint = _checkpoint(folder, 11)
    (file,) = checkpoint.glob(pattern)
    DAMAGES[damage](file)
    line = _error(folder, "--processes", processes)
    assert line.startswith(f"tacit: shard 11: checkpoint {checkpoint.name} in state/shards/011 is damaged: {file.name}")
    assert line.endswith("; restore the whole state folder from a backup, or replay history into a new one\n")


def test_missing_checkpoint_is_an_error(folder: Path) -> None:
    """One checkpoint of sixteen is missing."""
    checkpoint = _checkpoint(folder, 0)
    shutil.rmtree(checkpoint)
    line = _error(folder)
    assert line.startswith(
        f"tacit: shard 0: checkpoint {checkpoint.name} in state/shards/000 is damaged: it is missing;"
    )


def test_missing_shards_are_an_error(folder: Path) -> None:
    """The recovery store refers to checkpoints that do not exist."""
    shutil.rmtree(folder / "state" / "shards")
    assert " is damaged: it is missing; restore the whole state folder" in _error(folder)


def test_emptied_recovery_store_is_an_error(folder: Path) -> None:
    """A run does not start from the beginning silently, even after a single checkpoint."""
    shutil.rmtree(folder / "state" / "recovery")
    (folder / "state" / "recovery").mkdir()
    init_db_dir(folder / "state" / "recovery", PARTS)
    assert ", but the recovery store next to it knows of none: restore the whole state folder from one" in _error(
        folder
    )


def test_missing_recovery_store_is_an_error(folder: Path) -> None:
    """The run creates no new store."""
    shutil.rmtree(folder / "state" / "recovery")
    assert _error(folder) == "tacit: state/recovery is missing: restore the folder from a backup, or give another\n"
    assert not (folder / "state" / "recovery").exists()


def test_missing_vocabulary_is_an_error(folder: Path) -> None:
    """Without the vocabulary, numbers have no names."""
    (folder / "state" / "vocabulary.json").unlink()
    assert _error(folder).startswith("tacit: state/vocabulary.json cannot be read: ")


def test_regular_end_leaves_one_checkpoint_per_shard(folder: Path) -> None:
    """No work folder stays; a small cache does not change the result."""
    with redis_of_its_own() as (url, _):
        summary = replay(url, "events.jsonl", "--state", "state", "--cache", "1", cwd=folder)
    assert (summary["read"], summary["users"] > 50) == (0, True)
    shards = folder / "state" / "shards"
    assert list(shards.glob("*/work-*")) == []
    assert [len(list(shard.glob("c0*"))) for shard in sorted(shards.iterdir())] == [1] * 16


def _checkpoint(folder: Path, shard: int) -> Path:
    (checkpoint,) = (folder / "state" / "shards" / f"{shard:03d}").glob("c0*")
    return checkpoint


def test_state_of_another_secret_is_an_error(folder: Path) -> None:
    """Another secret gives other pseudonyms."""
    with redis_of_its_own() as (url, _):
        words = ("replay", "events.jsonl", "--state", "state", "--redis", url)
        done = tacit(*words, cwd=folder, TACIT_SECRET="another-secret-of-32-bytes-length")
    assert done.returncode == 1
    assert "was made for secret " in done.stderr
    assert done.stderr.endswith(": run with that, or give another folder, or start over with --again\n")
