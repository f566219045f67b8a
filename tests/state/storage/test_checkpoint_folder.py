"""state/storage/checkpoint_folder: a checkpoint in which anything is not as it was is refused, each case shown."""

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
"""The files of a checkpoint, by pattern, and the place of the last that fits it."""
EVERY_DAMAGE = [
    (pattern, place, damage)
    for pattern, last in FILES.items()
    for place in range(last + 1)
    for damage in DAMAGES
    if pattern != "*.log" or damage not in NEED_BYTES  # a checkpoint's log is empty
]
WHAT_TO_DO = "; restore the whole state folder from a backup, or replay history into a new one"


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
    """Return a copy that a test may damage."""
    return made._replace(folder=shutil.copytree(made.folder, tmp_path / "shards"))


def _refused(saved: Saved) -> str:
    with open_stores(saved.folder) as stores, pytest.raises(StateError) as caught:
        stores.resume(saved.token)
    return str(caught.value)


def _file(checkpoint: Path, pattern: str, place: int) -> Path:
    return sorted(checkpoint.glob(pattern))[place]


# Damage


def test_every_file_of_a_checkpoint_is_among_those_that_are_damaged_here(saved: Saved) -> None:
    """A file that a later RocksDB adds has to be added above."""
    found = dict.fromkeys(FILES, -1)
    for path in saved.checkpoint.iterdir():
        (pattern,) = [pattern for pattern in FILES if fnmatch(path.name, pattern)]
        found[pattern] += 1
    assert found == FILES
    assert _file(saved.checkpoint, "*.log", 0).stat().st_size == 0


def test_whole_checkpoint_is_taken(saved: Saved) -> None:
    """The copy that the tests below damage is whole."""
    with open_stores(saved.folder) as stores:
        assert contents(stores.resume(saved.token)) == saved.contents


@pytest.mark.parametrize(("pattern", "place", "damage"), EVERY_DAMAGE)
def test_damaged_file_is_refused(pattern: str, place: int, damage: str, saved: Saved) -> None:
    """The message names shard, checkpoint and file, and states what to do."""
    file = _file(saved.checkpoint, pattern, place)
    DAMAGES[damage](file)
    message = _refused(saved)
    where = f"shard 0: checkpoint {saved.checkpoint.name} in {saved.folder / '000'} is damaged: "
    assert message.startswith(where + file.name)
    assert message.endswith(WHAT_TO_DO)


@pytest.mark.parametrize("damage", ["missing", "a bit flipped"])
def test_damage_is_found_again_at_the_next_try(damage: str, saved: Saved) -> None:
    """A refusal repairs nothing and makes nothing worse."""
    DAMAGES[damage](_file(saved.checkpoint, "*.sst", 1))
    before = sorted(path.name for path in saved.checkpoint.iterdir())
    assert _refused(saved) == _refused(saved)
    assert sorted(path.name for path in saved.checkpoint.iterdir()) == before


@pytest.mark.parametrize("name", ["000099.sst", "CURRENT.bak", "MANIFEST-000099"])
def test_foreign_file_is_refused(name: str, saved: Saved) -> None:
    """No user knows what it would do to the rest."""
    (saved.checkpoint / name).write_bytes(b"x")
    assert f"{name} does not belong there; restore" in _refused(saved)


def test_foreign_folder_is_refused(saved: Saved) -> None:
    """A checkpoint has files only."""
    (saved.checkpoint / "lost+found").mkdir()
    assert "lost+found does not belong there; restore" in _refused(saved)


def test_missing_checkpoint_is_refused(saved: Saved) -> None:
    """Older ones next to it are no substitute: the source has continued."""
    shutil.rmtree(saved.checkpoint)
    assert checkpoints(saved.folder)
    assert f"checkpoint {saved.checkpoint.name} in {saved.folder / '000'} is damaged: it is missing" in _refused(saved)


def test_missing_shards_are_refused(saved: Saved) -> None:
    """The recovery store knows of users who are not there."""
    shutil.rmtree(saved.folder)
    assert "is damaged: it is missing" in _refused(saved)


def test_checkpoint_of_another_shard_under_this_name_is_refused(saved: Saved, tmp_path: Path) -> None:
    """Whole as it is: the token knows its manifest."""
    with open_stores(tmp_path / "other", shards=2) as stores:
        store = stores.create(b"\1" + bytes(15))
        touch(store, USERS)
        other = tmp_path / "other" / "001" / Token.unpack(store.snapshot()).name
    shutil.rmtree(saved.checkpoint)
    shutil.copytree(other, saved.checkpoint)
    assert "is damaged: Manifest is not the one that was committed" in _refused(saved)


def test_checkpoint_of_another_folder_under_this_name_is_refused(saved: Saved, tmp_path: Path) -> None:
    """Of the same shard and number, with other users."""
    other = _save(tmp_path / "other")
    shutil.rmtree(saved.checkpoint)
    shutil.copytree(other.checkpoint, saved.checkpoint)
    assert "is damaged: Manifest is not the one that was committed" in _refused(saved)


def test_older_checkpoint_under_this_name_is_refused(saved: Saved) -> None:
    """As a hasty hand might repair it."""
    older = checkpoints(saved.folder)[0]
    shutil.rmtree(saved.checkpoint)
    shutil.copytree(older, saved.checkpoint)
    assert "is damaged: Manifest is not the one that was committed" in _refused(saved)


# The folder


def test_checkpoint_without_a_seal_is_not_whole(saved: Saved) -> None:
    """What is half made or half deleted has none."""
    assert read_manifest(saved.checkpoint) is not None
    (saved.checkpoint / MANIFEST_FILE).unlink()
    assert read_manifest(saved.checkpoint) is None


def test_half_made_checkpoint_counts_and_is_cleared_away(tmp_path: Path) -> None:
    """RocksDB makes one next to its place; a crash leaves it there."""
    folder = ShardFolder(tmp_path, 0)
    for name in ("c0000000007-1f3a09bc", "c0000000008-1f3a09bc", "c0000000009-1f3a09bc.tmp"):
        (folder.path / name).mkdir(parents=True)
    assert folder.highest_number() == 9
    folder.delete(["c0000000007-1f3a09bc", "c0000000009-1f3a09bc.tmp"])
    assert folder.names() == ["c0000000008-1f3a09bc"]


def test_shard_that_was_never_opened_has_no_checkpoints(tmp_path: Path) -> None:
    """Nor is its folder made by looking."""
    folder = ShardFolder(tmp_path, 3)
    assert (folder.names(), folder.highest_number(), folder.is_committed) == ([], 0, False)
    assert list(tmp_path.iterdir()) == []


def test_disk_that_cannot_be_used_is_trouble_that_may_pass(tmp_path: Path) -> None:
    """Not damage: the system's words are passed on."""
    (tmp_path / "000").write_text("in the way")
    with (
        open_stores(tmp_path) as stores,
        pytest.raises(
            StorageError, match=r"shard 0 in .* cannot be used: .*; free space or repair the disk: committed state"
        ),
    ):
        stores.create(USERS[0])
