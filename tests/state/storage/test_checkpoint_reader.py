"""Checkpoint reader: the newest checkpoints of a state folder while a worker makes others."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from state.errors import StateError
from state.storage.checkpoint_reader import CheckpointReader
from state.storage.manifest import MANIFEST_FILE
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_of
from tests.support.factories import CATALOGUE
from tests.support.folder_listing import everything_below
from tests.support.shard_stores import DAMAGES, NEED_BYTES, open_stores, pseudonyms, touch

SHARDS = 2
*USERS, UNKNOWN = pseudonyms(41)


class Worker:
    """A process that writes into a state folder."""

    def __init__(self, stores: ShardStores) -> None:
        self._stores = stores
        self._shards: dict[int, ShardStore] = {}

    def turn(self, *users: bytes) -> None:
        """Process one turn of each user."""
        for user in users:
            touch(self._shard(user), [user])

    def _shard(self, user: bytes) -> ShardStore:
        shard = shard_of(user, SHARDS)
        if shard not in self._shards:
            self._shards[shard] = self._stores.create(user)
        return self._shards[shard]

    def make_checkpoints(self) -> None:
        """Make a checkpoint of each open shard."""
        for store in self._shards.values():
            store.snapshot()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with open_stores(tmp_path, shards=SHARDS) as stores:
        yield Worker(stores)


@pytest.fixture
def reader(tmp_path: Path) -> CheckpointReader:
    return CheckpointReader(tmp_path, SHARDS, CATALOGUE)


def turns(reader: CheckpointReader) -> dict[bytes, int]:
    """Return user → count of turns."""
    found: dict[bytes, int] = {}
    for shard in reader.shards():
        with reader.open(shard) as reading:
            assert reading is not None
            found |= {user: state.seq for user, state in reading}
    return found


def checkpoint_of(reader: CheckpointReader, user: bytes) -> Path:
    """Return the folder of the checkpoint with a user."""
    _, checkpoint = reader.get(user)
    assert checkpoint is not None
    return checkpoint.path


def test_each_user_of_a_checkpoint_is_found(worker: Worker, reader: CheckpointReader) -> None:
    """`get` finds each user, and the iteration finds all."""
    worker.turn(*USERS)
    worker.turn(*USERS[:3])
    worker.make_checkpoints()
    expected = {user: 1 + (user in USERS[:3]) for user in USERS}
    assert turns(reader) == expected
    for user in USERS:
        state, checkpoint = reader.get(user)
        assert state is not None
        assert checkpoint is not None
        assert (state.seq, checkpoint.manifest.number) == (expected[user], 1)


def test_unknown_user_is_none(worker: Worker, reader: CheckpointReader) -> None:
    """The checkpoint of the shard is found all the same."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    state, checkpoint = reader.get(UNKNOWN)
    assert state is None
    assert checkpoint is not None


def test_turn_is_visible_after_its_checkpoint(worker: Worker, reader: CheckpointReader) -> None:
    """A turn is visible after the checkpoint."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    worker.turn(*USERS)
    assert set(turns(reader).values()) == {1}
    worker.make_checkpoints()
    assert set(turns(reader).values()) == {2}


def test_folder_without_checkpoints_has_no_users(worker: Worker, reader: CheckpointReader) -> None:
    """The first checkpoint interval has not ended yet."""
    worker.turn(*USERS)
    assert reader.shards() == []
    assert reader.get(USERS[0]) == (None, None)


def test_checkpoint_without_a_manifest_is_skipped(worker: Worker, reader: CheckpointReader) -> None:
    """A worker is making or deleting such a checkpoint."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    worker.turn(*USERS)
    worker.make_checkpoints()
    for checkpoint in reader.checkpoints():
        (checkpoint.path / MANIFEST_FILE).unlink()
    assert set(turns(reader).values()) == {1}


def test_loss_of_all_committed_checkpoints_is_damage(worker: Worker, reader: CheckpointReader, tmp_path: Path) -> None:
    """A user of a damaged shard is not unknown."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    worker.turn(*USERS)
    for checkpoint in reader.checkpoints():
        shutil.rmtree(checkpoint.path)
    with pytest.raises(StateError, match=r"shard \d: .* is missing; restore the whole state folder from a backup"):
        reader.get(USERS[0])


def test_read_changes_no_file(worker: Worker, reader: CheckpointReader, tmp_path: Path) -> None:
    """No time of change changes: a file outside the manifest is damage."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    before = everything_below(tmp_path)
    assert len(turns(reader)) == len(USERS)
    reader.get(USERS[0])
    assert everything_below(tmp_path) == before


def test_read_leaves_no_temporary_files(
    worker: Worker, reader: CheckpointReader, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary folder is gone after a success and after an error."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    worker.turn(*USERS)
    worker.make_checkpoints()
    reader.get(USERS[0])
    (checkpoint_of(reader, USERS[0]) / "CURRENT").unlink()
    with pytest.raises(StateError):
        reader.get(USERS[0])
    assert list(temporary.iterdir()) == []


def test_open_checkpoint_is_readable_after_its_deletion(worker: Worker, reader: CheckpointReader) -> None:
    """A worker does not wait for a reader."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    for checkpoint in reader.checkpoints():
        with reader.open(checkpoint.manifest.shard) as reading:
            shutil.rmtree(checkpoint.path)
            assert reading is not None
            assert sum(1 for _ in reading) == checkpoint.manifest.users


def test_reads_are_complete_while_checkpoints_change(worker: Worker, reader: CheckpointReader) -> None:
    """Each read is complete, and no read is older than the one before."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    stop = Event()

    def work() -> int:
        intervals = 1
        while not stop.is_set():
            worker.turn(*USERS)
            worker.make_checkpoints()
            intervals += 1
        return intervals

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            seen = [_turns_of_a_shard(reader) for _ in range(200)]
        finally:
            stop.set()
        assert seen == sorted(seen)
        assert 1 < seen[-1] <= working.result()


def _turns_of_a_shard(reader: CheckpointReader) -> int:
    with reader.open(0) as reading:
        assert reading is not None
        (found,) = {state.seq for _, state in reading}
        return found


TABLE_BIT = ("a bit flipped", ".sst")
"""Damage that opening a checkpoint does not look for; see the last test."""
SPOILED = [
    (damage, name)
    for name in ("CURRENT", "MANIFEST", "OPTIONS", "rocksdict-config.json", ".log", ".sst")
    for damage in DAMAGES
    if (damage, name) != TABLE_BIT and not (name == ".log" and damage in NEED_BYTES)
]


@pytest.mark.parametrize(("damage", "name"), SPOILED)
def test_damaged_checkpoint_is_an_error(damage: str, name: str, worker: Worker, reader: CheckpointReader) -> None:
    """The error names shard, checkpoint, file and remedy; RocksDB alone would read wrong users in some cases."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    checkpoint = checkpoint_of(reader, USERS[0])
    (file,) = [file for file in checkpoint.iterdir() if name in file.name]
    DAMAGES[damage](file)
    with pytest.raises(StateError) as caught:
        reader.get(USERS[0])
    where = f"shard {shard_of(USERS[0], SHARDS)}: checkpoint {checkpoint.name} in {checkpoint.parent}"
    assert str(caught.value).startswith(f"{where} is damaged: {file.name} ")
    assert str(caught.value).endswith("restore the whole state folder from a backup, or replay history into a new one")


def test_flipped_bit_in_a_table_is_an_error_or_has_no_effect(worker: Worker, reader: CheckpointReader) -> None:
    """RocksDB checks the checksum of each block of a table as it reads the block."""
    worker.turn(*USERS)
    worker.make_checkpoints()
    before = turns(reader)
    (table,) = checkpoint_of(reader, USERS[0]).glob("*.sst")
    content = table.read_bytes()
    refusals = []
    for place in range(0, len(content), 97):
        table.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            assert turns(reader) == before
        except StateError as error:
            refusals.append(str(error))
    assert refusals
    assert all("is damaged: Corruption: " in refusal for refusal in refusals)
