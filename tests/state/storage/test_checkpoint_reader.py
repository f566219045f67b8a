"""A state folder from outside: what the newest checkpoints hold, read next to the worker that makes them."""

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
from tests.support.shard_stores import DAMAGES, NEED_BYTES, open_stores, people, touch

SHARDS = 2
*PEOPLE, STRANGER = people(41)


class Worker:
    """A process at work on a folder."""

    def __init__(self, stores: ShardStores) -> None:
        self._stores = stores
        self._shards: dict[int, ShardStore] = {}

    def turn(self, *people: bytes) -> None:
        """Count one more turn of each of these users."""
        for user in people:
            touch(self._shard(user), [user])

    def _shard(self, user: bytes) -> ShardStore:
        shard = shard_of(user, SHARDS)
        if shard not in self._shards:
            self._shards[shard] = self._stores.create(user)
        return self._shards[shard]

    def end_epoch(self) -> None:
        """Make a checkpoint of each shard that was touched."""
        for store in self._shards.values():
            store.snapshot()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with open_stores(tmp_path, shards=SHARDS) as stores:
        yield Worker(stores)


@pytest.fixture
def shelf(tmp_path: Path) -> CheckpointReader:
    return CheckpointReader(tmp_path, SHARDS, CATALOGUE)


def turns(shelf: CheckpointReader) -> dict[bytes, int]:
    """Return how many turns all users had."""
    found: dict[bytes, int] = {}
    for shard in shelf.shards():
        with shelf.open(shard) as reading:
            assert reading is not None
            found |= {user: state.seq for user, state in reading}
    return found


def checkpoint_of(shelf: CheckpointReader, user: bytes) -> Path:
    """Return the folder of the checkpoint in which a user is."""
    _, checkpoint = shelf.get(user)
    assert checkpoint is not None
    return checkpoint.path


def test_everybody_is_found_as_the_checkpoint_has_them(worker: Worker, shelf: CheckpointReader) -> None:
    """One by one, and all of them."""
    worker.turn(*PEOPLE)
    worker.turn(*PEOPLE[:3])
    worker.end_epoch()
    expected = {user: 1 + (user in PEOPLE[:3]) for user in PEOPLE}
    assert turns(shelf) == expected
    for user in PEOPLE:
        state, checkpoint = shelf.get(user)
        assert state is not None
        assert checkpoint is not None
        assert (state.seq, checkpoint.manifest.number) == (expected[user], 1)


def test_stranger_is_nobody(worker: Worker, shelf: CheckpointReader) -> None:
    """But it is known which checkpoint they are not in."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    state, checkpoint = shelf.get(STRANGER)
    assert state is None
    assert checkpoint is not None


def test_what_is_in_no_checkpoint_yet_is_not_seen(worker: Worker, shelf: CheckpointReader) -> None:
    """Each checkpoint interval shows at its end."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    worker.turn(*PEOPLE)
    assert set(turns(shelf).values()) == {1}
    worker.end_epoch()
    assert set(turns(shelf).values()) == {2}


def test_folder_without_checkpoints_has_nobody(worker: Worker, shelf: CheckpointReader) -> None:
    """Before the first interval's end."""
    worker.turn(*PEOPLE)
    assert shelf.shards() == []
    assert shelf.get(PEOPLE[0]) == (None, None)


def test_checkpoint_without_a_seal_is_passed_over(worker: Worker, shelf: CheckpointReader) -> None:
    """It is being made or deleted."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    worker.turn(*PEOPLE)
    worker.end_epoch()
    for checkpoint in shelf.checkpoints():
        (checkpoint.path / MANIFEST_FILE).unlink()
    assert set(turns(shelf).values()) == {1}


def test_committed_checkpoints_that_are_all_gone_are_damage(
    worker: Worker, shelf: CheckpointReader, tmp_path: Path
) -> None:
    """No user is reported that they are unknown."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    worker.turn(*PEOPLE)
    for checkpoint in shelf.checkpoints():
        shutil.rmtree(checkpoint.path)
    with pytest.raises(StateError, match=r"shard \d: .* is missing; restore the whole state folder from a backup"):
        shelf.get(PEOPLE[0])


def test_reading_writes_nothing_into_the_folder(worker: Worker, shelf: CheckpointReader, tmp_path: Path) -> None:
    """Not even a time of change: a file that a checkpoint's manifest does not know is damage."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    before = everything_below(tmp_path)
    assert len(turns(shelf)) == len(PEOPLE)
    shelf.get(PEOPLE[0])
    assert everything_below(tmp_path) == before


def test_nothing_is_left_of_a_reading(
    worker: Worker, shelf: CheckpointReader, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it went well nor when it did not."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    worker.turn(*PEOPLE)
    worker.end_epoch()
    shelf.get(PEOPLE[0])
    (checkpoint_of(shelf, PEOPLE[0]) / "CURRENT").unlink()
    with pytest.raises(StateError):
        shelf.get(PEOPLE[0])
    assert list(temporary.iterdir()) == []


def test_open_checkpoint_can_be_read_after_it_was_deleted(worker: Worker, shelf: CheckpointReader) -> None:
    """A worker need not wait for whoever looks in."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    for checkpoint in shelf.checkpoints():
        with shelf.open(checkpoint.manifest.shard) as reading:
            shutil.rmtree(checkpoint.path)
            assert reading is not None
            assert sum(1 for _ in reading) == checkpoint.manifest.users


def test_checkpoints_may_come_and_go_meanwhile(worker: Worker, shelf: CheckpointReader) -> None:
    """Checkpoint intervals without a pause between them: each reading is whole, and none is older than one before."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    stop = Event()

    def work() -> int:
        epochs = 1
        while not stop.is_set():
            worker.turn(*PEOPLE)
            worker.end_epoch()
            epochs += 1
        return epochs

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            seen = [_turns_of_a_shard(shelf) for _ in range(200)]
        finally:
            stop.set()
        assert seen == sorted(seen)
        assert 1 < seen[-1] <= working.result()


def _turns_of_a_shard(shelf: CheckpointReader) -> int:
    with shelf.open(0) as reading:
        assert reading is not None
        (found,) = {state.seq for _, state in reading}
        return found


TABLE_BIT = ("a bit flipped", ".sst")
"""Is not looked for when a checkpoint is opened: see below."""
SPOILED = [
    (damage, name)
    for name in ("CURRENT", "MANIFEST", "OPTIONS", "rocksdict-config.json", ".log", ".sst")
    for damage in DAMAGES
    if (damage, name) != TABLE_BIT and not (name == ".log" and damage in NEED_BYTES)
]


@pytest.mark.parametrize(("damage", "name"), SPOILED)
def test_damaged_checkpoint_is_refused(damage: str, name: str, worker: Worker, shelf: CheckpointReader) -> None:
    """With the shard, the checkpoint, the file and what to do; RocksDB alone would find other users in some."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    checkpoint = checkpoint_of(shelf, PEOPLE[0])
    (file,) = [file for file in checkpoint.iterdir() if name in file.name]
    DAMAGES[damage](file)
    with pytest.raises(StateError) as caught:
        shelf.get(PEOPLE[0])
    where = f"shard {shard_of(PEOPLE[0], SHARDS)}: checkpoint {checkpoint.name} in {checkpoint.parent}"
    assert str(caught.value).startswith(f"{where} is damaged: {file.name} ")
    assert str(caught.value).endswith("restore the whole state folder from a backup, or replay history into a new one")


def test_flipped_bit_in_a_table_is_refused_or_does_not_show(worker: Worker, shelf: CheckpointReader) -> None:
    """Tables are too long to be looked through, so RocksDB's checksums of what is read decide."""
    worker.turn(*PEOPLE)
    worker.end_epoch()
    before = turns(shelf)
    (table,) = checkpoint_of(shelf, PEOPLE[0]).glob("*.sst")
    content = table.read_bytes()
    refusals = []
    for place in range(0, len(content), 97):
        table.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            assert turns(shelf) == before
        except StateError as error:
            refusals.append(str(error))
    assert refusals
    assert all("is damaged: Corruption: " in refusal for refusal in refusals)
