"""One process: what ends it is said by whoever met it, in one line, and a damaged store is called one."""

import shutil
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from tests.support.commands import everything_in, tacit
from tests.support.replays import redis_of_its_own, replay, write_history
from tests.support.shard_stores import DAMAGES

PARTS = 4


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a history and the state that a replay of it left."""
    folder = tmp_path_factory.mktemp("used")
    write_history(folder / "events.jsonl")
    with redis_of_its_own() as (url, _):
        replay(url, "events.jsonl", "--state", "state", cwd=folder)
    return folder


@pytest.fixture
def folder(used: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may damage."""
    return shutil.copytree(used, tmp_path / "copy")


def _refused(folder: Path, *words: str) -> str:
    """Replay, and return the one line of why that was not possible; nothing must have been written."""
    with redis_of_its_own() as (url, client):
        done = tacit(
            "replay", "events.jsonl", "--state", "state", "--redis", url, *words, cwd=folder, RUST_BACKTRACE="1"
        )
        assert everything_in(client) == {}
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("missing", [1, PARTS])
def test_store_with_parts_missing_is_damaged(missing: int, folder: Path) -> None:
    """Some or all."""
    for number in range(missing):
        (folder / "state" / "recovery" / f"part-{number}.sqlite3").unlink()
    line = _refused(folder)
    assert line.startswith("tacit: state/recovery is damaged: ")
    assert line.endswith("restore the whole state folder from a backup, or give another\n")


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_store_that_is_no_database_is_damaged(content: bytes, folder: Path) -> None:
    """Emptied or overwritten, in one part or in all."""
    for number in range(PARTS):
        (folder / "state" / "recovery" / f"part-{number}.sqlite3").write_bytes(content)
    assert _refused(folder).startswith("tacit: state/recovery is damaged: ")


def test_store_that_was_cut_short_is_damaged(folder: Path) -> None:
    """As a full disk or a bad copy leaves it."""
    part = folder / "state" / "recovery" / "part-0.sqlite3"
    part.write_bytes(part.read_bytes()[:3000])
    assert _refused(folder).startswith("tacit: state/recovery is damaged: ")


# Checkpoints: tests/state/storage/test_checkpoint_folder.py has every file and every damage


@pytest.mark.parametrize(
    ("pattern", "damage", "processes"),
    [
        ("*.sst", "missing", "1"),
        ("*.sst", "a bit flipped", "1"),
        ("MANIFEST-*", "a bit flipped", "1"),
        ("MANIFEST-*", "cut by a byte", "1"),
        ("SEAL", "missing", "1"),
        ("*.sst", "a bit flipped", "2"),
    ],
)
def test_damaged_checkpoint_is_refused(pattern: str, damage: str, processes: str, folder: Path) -> None:
    """At the start, also when there is nothing more to read; with shard, checkpoint, file and what to do."""
    checkpoint = _checkpoint(folder, 11)
    (file,) = checkpoint.glob(pattern)
    DAMAGES[damage](file)
    line = _refused(folder, "--processes", processes)
    assert line.startswith(f"tacit: shard 11: checkpoint {checkpoint.name} in state/shards/011 is damaged: {file.name}")
    assert line.endswith("; restore the whole state folder from a backup, or replay history into a new one\n")


def test_missing_checkpoint_is_refused(folder: Path) -> None:
    """One of sixteen."""
    checkpoint = _checkpoint(folder, 0)
    shutil.rmtree(checkpoint)
    line = _refused(folder)
    assert line.startswith(
        f"tacit: shard 0: checkpoint {checkpoint.name} in state/shards/000 is damaged: it is missing;"
    )


def test_missing_shards_are_refused(folder: Path) -> None:
    """The recovery store knows of people who are not there."""
    shutil.rmtree(folder / "state" / "shards")
    assert " is damaged: it is missing; restore the whole state folder" in _refused(folder)


def test_emptied_recovery_store_is_refused(folder: Path) -> None:
    """Nobody starts anew in silence, though this run had an epoch only."""
    shutil.rmtree(folder / "state" / "recovery")
    (folder / "state" / "recovery").mkdir()
    init_db_dir(folder / "state" / "recovery", PARTS)
    assert ", but the recovery store next to it knows of none: restore the whole state folder from one" in _refused(
        folder
    )


def test_missing_recovery_store_is_refused(folder: Path) -> None:
    """And no new one is made."""
    shutil.rmtree(folder / "state" / "recovery")
    assert _refused(folder) == "tacit: state/recovery is missing: restore the folder from a backup, or give another\n"
    assert not (folder / "state" / "recovery").exists()


def test_missing_vocabulary_is_refused(folder: Path) -> None:
    """Numbers would stand for other names."""
    (folder / "state" / "vocabulary.json").unlink()
    assert _refused(folder).startswith("tacit: state/vocabulary.json cannot be read: ")


def test_orderly_end_leaves_one_whole_state(folder: Path) -> None:
    """No work, and no more than the checkpoints that were committed; a small cache changes nothing."""
    with redis_of_its_own() as (url, _):
        summary = replay(url, "events.jsonl", "--state", "state", "--cache", "1", cwd=folder)
    assert (summary["read"], summary["users"] > 50) == (0, True)
    shards = folder / "state" / "shards"
    assert list(shards.glob("*/work-*")) == []
    assert [len(list(shard.glob("c0*"))) for shard in sorted(shards.iterdir())] == [1] * 16


def _checkpoint(folder: Path, shard: int) -> Path:
    (checkpoint,) = (folder / "state" / "shards" / f"{shard:03d}").glob("c0*")
    return checkpoint


def test_state_of_another_secret_is_refused(folder: Path) -> None:
    """Everybody in it would be a stranger."""
    with redis_of_its_own() as (url, _):
        words = ("replay", "events.jsonl", "--state", "state", "--redis", url)
        done = tacit(*words, cwd=folder, TACIT_SECRET="another-secret-of-someone-else")
    assert done.returncode == 1
    assert "was made for secret " in done.stderr
