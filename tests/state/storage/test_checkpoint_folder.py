"""Checkpoint folder: a checkpoint with any change is an error, case by case."""

import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

from state.errors import StateError, StorageError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import MANIFEST_FILE, Token, read_manifest
from tests.support.shard_stores import DAMAGES, NEED_BYTES, USERS, checkpoints, contents, open_stores, touch

FILES = {
    "CURRENT": 0,
    "MANIFEST-*": 0,
    "OPTIONS-*": 0,
    "rocksdict-config.json": 0,
    "*.log": 0,
    "*.sst": 2,
    MANIFEST_FILE: 0,
}
"""Files of a checkpoint: pattern → index of the last match."""
EVERY_DAMAGE = [
    (pattern, index, damage)
    for pattern, last in FILES.items()
    for index in range(last + 1)
    for damage in DAMAGES
    if pattern != "*.log" or damage not in NEED_BYTES  # a checkpoint's log is empty
]
REMEDY = "; restore the whole state folder from a backup, or replay history into a new one"


class Saved(NamedTuple):
    """A shard's folder, and the newest token."""

    folder: Path
    token: bytes
    contents: dict[bytes, bytes]

    @property
    def checkpoint(self) -> Path:
        return self.folder / "000" / Token.unpack(self.token).name


def _save(folder: Path) -> Saved:
    """Make three checkpoints, each with one more table."""
    with open_stores(folder) as stores:
        store = stores.create(USERS[0])
        for number in range(3):
            touch(store, USERS[number : number + 2])
            token = store.snapshot()
        return Saved(folder, token, contents(store))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return _save(tmp_path_factory.mktemp("saved") / "shards")


@pytest.fixture
def saved(made: Saved, tmp_path: Path) -> Saved:
    """Return a copy for a test to damage."""
    return made._replace(folder=shutil.copytree(made.folder, tmp_path / "shards"))


def _error_of(saved: Saved) -> str:
    with open_stores(saved.folder) as stores, pytest.raises(StateError) as caught:
        stores.resume(saved.token)
    return str(caught.value)


def _file(checkpoint: Path, pattern: str, index: int) -> Path:
    return sorted(checkpoint.glob(pattern))[index]


# Damage


def test_each_file_of_a_checkpoint_has_a_test_of_damage(saved: Saved) -> None:
    """`FILES` has every file of a checkpoint; a later RocksDB may add one."""
    found = dict.fromkeys(FILES, -1)
    for path in saved.checkpoint.iterdir():
        (pattern,) = [pattern for pattern in FILES if fnmatch(path.name, pattern)]
        found[pattern] += 1
    assert found == FILES
    assert _file(saved.checkpoint, "*.log", 0).stat().st_size == 0


def test_complete_checkpoint_is_opened(saved: Saved) -> None:
    """The copy is complete before a test damages it."""
    with open_stores(saved.folder) as stores:
        assert contents(stores.resume(saved.token)) == saved.contents


@pytest.mark.parametrize(("pattern", "index", "damage"), EVERY_DAMAGE)
def test_damaged_file_is_an_error(pattern: str, index: int, damage: str, saved: Saved) -> None:
    """The error names shard, checkpoint and file, and the remedy."""
    file = _file(saved.checkpoint, pattern, index)
    DAMAGES[damage](file)
    message = _error_of(saved)
    where = f"shard 0: checkpoint {saved.checkpoint.name} in {saved.folder / '000'} is damaged: "
    assert message.startswith(where + file.name)
    assert message.endswith(REMEDY)


@pytest.mark.parametrize("damage", ["missing", "a bit flipped"])
def test_damage_is_found_in_each_attempt(damage: str, saved: Saved) -> None:
    """An error changes no file."""
    DAMAGES[damage](_file(saved.checkpoint, "*.sst", 1))
    before = sorted(path.name for path in saved.checkpoint.iterdir())
    assert _error_of(saved) == _error_of(saved)
    assert sorted(path.name for path in saved.checkpoint.iterdir()) == before


@pytest.mark.parametrize("name", ["000099.sst", "CURRENT.bak", "MANIFEST-000099"])
def test_foreign_file_is_an_error(name: str, saved: Saved) -> None:
    """The effect of a foreign file on RocksDB is unknown."""
    (saved.checkpoint / name).write_bytes(b"x")
    assert f"{name} does not belong there; restore" in _error_of(saved)


def test_foreign_folder_is_an_error(saved: Saved) -> None:
    """A checkpoint has files only."""
    (saved.checkpoint / "lost+found").mkdir()
    assert "lost+found does not belong there; restore" in _error_of(saved)


def test_missing_checkpoint_is_an_error(saved: Saved) -> None:
    """An older checkpoint is no substitute: the source is ahead of it."""
    shutil.rmtree(saved.checkpoint)
    assert checkpoints(saved.folder)
    assert f"checkpoint {saved.checkpoint.name} in {saved.folder / '000'} is damaged: it is missing" in _error_of(saved)


def test_missing_shards_are_an_error(saved: Saved) -> None:
    """The recovery store has the token of a missing checkpoint."""
    shutil.rmtree(saved.folder)
    assert "is damaged: it is missing" in _error_of(saved)


def test_checkpoint_of_another_shard_is_an_error(saved: Saved, tmp_path: Path) -> None:
    """A complete checkpoint of another shard has another manifest than the token."""
    with open_stores(tmp_path / "other", shards=2) as stores:
        store = stores.create(b"\1" + bytes(15))
        touch(store, USERS)
        other = tmp_path / "other" / "001" / Token.unpack(store.snapshot()).name
    shutil.rmtree(saved.checkpoint)
    shutil.copytree(other, saved.checkpoint)
    assert f"is damaged: {MANIFEST_FILE} is not the one that was committed" in _error_of(saved)


def test_checkpoint_of_another_folder_is_an_error(saved: Saved, tmp_path: Path) -> None:
    """A checkpoint with the same shard and number has other users."""
    other = _save(tmp_path / "other")
    shutil.rmtree(saved.checkpoint)
    shutil.copytree(other.checkpoint, saved.checkpoint)
    assert f"is damaged: {MANIFEST_FILE} is not the one that was committed" in _error_of(saved)


def test_older_checkpoint_under_the_newest_name_is_an_error(saved: Saved) -> None:
    """A copy of an older checkpoint is no repair."""
    older = checkpoints(saved.folder)[0]
    shutil.rmtree(saved.checkpoint)
    shutil.copytree(older, saved.checkpoint)
    assert f"is damaged: {MANIFEST_FILE} is not the one that was committed" in _error_of(saved)


# The folder


def test_checkpoint_without_a_manifest_is_incomplete(saved: Saved) -> None:
    """A half-made or half-deleted checkpoint has no manifest."""
    assert read_manifest(saved.checkpoint) is not None
    (saved.checkpoint / MANIFEST_FILE).unlink()
    assert read_manifest(saved.checkpoint) is None


def test_half_made_checkpoint_is_counted_and_deleted(tmp_path: Path) -> None:
    """RocksDB writes a checkpoint under a temporary name, which a crash leaves behind."""
    folder = ShardFolder(tmp_path, 0)
    for name in ("c0000000007-1f3a09bc", "c0000000008-1f3a09bc", "c0000000009-1f3a09bc.tmp"):
        (folder.path / name).mkdir(parents=True)
    assert folder.highest_number() == 9
    folder.delete(["c0000000007-1f3a09bc", "c0000000009-1f3a09bc.tmp"])
    assert folder.names() == ["c0000000008-1f3a09bc"]


def test_new_shard_has_no_checkpoints(tmp_path: Path) -> None:
    """The read creates no folder."""
    folder = ShardFolder(tmp_path, 3)
    assert (folder.names(), folder.highest_number(), folder.is_committed) == ([], 0, False)
    assert list(tmp_path.iterdir()) == []


def test_unusable_disk_is_a_storage_error(tmp_path: Path) -> None:
    """The error has the message of the operating system, and is no damage."""
    (tmp_path / "000").write_text("in the way")
    with (
        open_stores(tmp_path) as stores,
        pytest.raises(
            StorageError, match=r"shard 0 in .* cannot be used: .*; free space or repair the disk: committed state"
        ),
    ):
        stores.create(USERS[0])
