"""Erasure: no file of a shard has the learned state of a wiped user once the erasure has ended."""

from pathlib import Path

import pytest

from state.events.observation import Kind
from state.storage.erasure import FULL, MAX_WAITING, Erasure
from state.storage.manifest import Manifest
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.user import codec
from tacit.contract.pseudonyms import pseudonym
from tests.support.factories import CATALOGUE, START_MS, make_observation
from tests.support.shard_stores import checkpoints, open_stores, process, touch

USERS = [pseudonym(f"user-{number}", b"0123456789abcdef") for number in range(200)]
USER = USERS[50]
FORGET_MS = START_MS + 60_000


def learned_bytes(store: ShardStore, user: bytes = USER) -> bytes:
    """Return bytes that only the learned state of the user has."""
    state = store.get(user)
    assert state is not None
    return codec.pack(state)[codec.HEAD_BYTES :]


def wipe(store: ShardStore, *users: bytes) -> None:
    """Process one batch: a forget of each user."""
    process(store, [make_observation(FORGET_MS, user=user, kind=Kind.FORGET) for user in users], users)


def places(folder: Path, found: bytes) -> list[str]:
    """Return the folders of files with these bytes."""
    return sorted({path.parent.name for path in folder.rglob("*") if path.is_file() and found in path.read_bytes()})


def finish(store: ShardStore) -> bytes:
    """Take the steps of the erasure, each in a checkpoint interval without events, and return the last token."""
    for _ in range(3):
        store.start_compaction()
        store.settle(waits=True)
        token = store.snapshot()
    assert not store.is_erasing
    return token


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shards"


def test_state_leaves_tables_and_checkpoints_without_further_events(folder: Path) -> None:
    """Before the erasure, the tables have the state in plain bytes: a byte search proves its absence."""
    with open_stores(folder, cached=1000) as stores:
        store = stores.create(USER)
        touch(store, USERS)
        store.snapshot()
        found = learned_bytes(store)
        wipe(store, USER)
        store.snapshot()
        assert len(places(folder, found)) == 3  # the working folder and both checkpoints
        finish(store)
        stores.confirm_end()
    assert places(folder, found) == []
    assert len(checkpoints(folder)) == 2


def test_other_users_stay(folder: Path) -> None:
    with open_stores(folder, cached=1000) as stores:
        store = stores.create(USER)
        touch(store, USERS)
        token = store.snapshot()
        other = learned_bytes(store, USERS[51])
        wipe(store, USER)
        token = finish(store)
    with open_stores(folder) as stores:
        store = stores.resume(token)
        assert not store.is_erasing
        assert learned_bytes(store, USERS[51]) == other
        assert len(store) == len(USERS)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_run_resumes_an_erasure_after_a_kill(folder: Path, steps: int) -> None:
    """The run is killed after the wipe's checkpoint, after the compaction's, or after the next one."""
    with open_stores(folder, cached=1000) as stores:
        store = stores.create(USER)
        touch(store, USERS)
        store.snapshot()
        found = learned_bytes(store)
        wipe(store, USER)
        token = store.snapshot()
        if steps > 1:
            store.start_compaction()
            store.settle(waits=True)
            token = store.snapshot()
        if steps > 2:
            store.settle()
            token = store.snapshot()
    assert places(folder, found)
    with open_stores(folder) as stores:
        finish(stores.resume(token))
        stores.confirm_end()
    assert places(folder, found) == []


def test_orderly_end_after_the_compaction_ends_the_erasure(folder: Path) -> None:
    """The last checkpoint is committed, so all others are deleted."""
    with open_stores(folder, cached=1000) as stores:
        store = stores.create(USER)
        touch(store, USERS)
        store.snapshot()
        found = learned_bytes(store)
        wipe(store, USER)
        store.start_compaction()
        store.settle(waits=True)
        token = store.snapshot()
        stores.confirm_end()
        assert not store.is_erasing
    assert places(folder, found) == []
    with open_stores(folder) as stores:
        assert not stores.resume(token).is_erasing


def test_settled_shard_has_no_further_erasure_at_each_start(folder: Path) -> None:
    with open_stores(folder) as stores:
        store = stores.create(USER)
        touch(store, [USER])
        wipe(store, USER)
        token = finish(store)
        stores.confirm_end()
    for _ in range(3):
        with open_stores(folder) as stores:
            assert not stores.resume(token).is_erasing


def test_checkpoint_of_an_older_version_is_compacted_as_a_whole() -> None:
    """Older versions left the states of wiped users on disk, and no record of these users."""
    erasure = Erasure()
    erasure.resume(Manifest(0, 1, 1, "one", 0, 0, {}, format=1), [])
    assert erasure.begin(tables=7) == [(None, None)]


def test_many_users_are_compacted_as_a_whole() -> None:
    erasure = Erasure()
    erasure.add(USERS[:3])
    assert len(erasure.begin(tables=3)) == 3
    erasure.add(USERS[:4])
    assert erasure.begin(tables=3) == [(None, None)]
    erasure.add(number.to_bytes(16, "big") for number in range(MAX_WAITING + 1))
    assert erasure.waiting == {FULL}


def test_run_without_state_folder_erases_from_its_working_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evicted states are in tables of a temporary folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ShardStores(None, 1, CATALOGUE, cached_users=1) as stores:
        store = stores.create(USER)
        touch(store, USERS[:60])
        found = learned_bytes(store)
        store.start_flush()
        wipe(store, USER)
        store.start_compaction()
        store.settle(waits=True)
        assert not store.is_erasing
        assert learned_bytes(store, USERS[51]) != found
        assert places(tmp_path, learned_bytes(store, USERS[51]))
        assert not places(tmp_path, found)
