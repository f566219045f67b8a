"""Shard store, compared with a plain dict of packed states."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.storage.shard_store import MAX_CHANGED, ShardStore
from state.storage.shard_stores import ShardStores
from state.user import codec
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation, make_pin
from tests.support.shard_stores import USERS, checkpoints, contents, open_stores, pseudonyms, touch

TOUCHED = st.lists(st.sampled_from(USERS), max_size=6)
STEPS = st.sampled_from(["change", "change", "change", "look", "snapshot", "restart", "crash"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ShardStore]:
    """Return a store with a small cache."""
    with open_stores(tmp_path) as stores:
        yield stores.create(USERS[0])


# As a dict


class Trial:
    """A shard over several executions, and its expected contents."""

    def __init__(self, folder: Path, cached: int) -> None:
        self.folder, self.cached = folder, cached
        self.token: bytes | None = None
        self.saved: dict[bytes, bytes] = {}
        """Contents of the shard at the last token."""
        self.held: dict[bytes, bytes] = {}
        self.clock_ms = START_MS
        self.open()

    def open(self) -> None:
        self.stores: ShardStores = open_stores(self.folder, cached=self.cached)
        self.store = self.stores.create(USERS[0]) if self.token is None else self.stores.resume(self.token)

    def step(self, step: str, users: list[bytes]) -> None:
        if step in {"change", "look"}:
            self.batch(users, changes=step == "change")
        if step in {"snapshot", "restart"}:
            self.token, self.saved = self.store.snapshot(), dict(self.held)
        if step in {"restart", "crash"}:
            self.stores.__exit__(None, None, None)
            self.held = dict(self.saved)
            self.open()
        assert len(self.store) == len(self.held)

    def batch(self, users: list[bytes], *, changes: bool) -> None:
        """Read users, or change their states and put them at the end of the batch."""
        self.store.begin_batch()
        touched: dict[bytes, UserState] = {}
        for user in users:
            state = touched.get(user) or self.store.get(user)
            if user not in touched:
                assert (codec.pack(state) if state else None) == self.held.get(user)
            if changes:
                self.clock_ms += 1
                state = touched[user] = state or UserState()
                state.observe(make_observation(self.clock_ms, user=user, feedback="thumbs_up"), RULES)
        for user, state in touched.items():
            self.store.put(user, state)
            self.held[user] = codec.pack(state)
        self.store.end_batch()


@settings(max_examples=60)
@given(st.lists(st.tuples(STEPS, TOUCHED), max_size=25), st.integers(1, 8))
def test_store_equals_a_plain_dict(steps: list[tuple[str, list[bytes]]], cached: int) -> None:
    """For each size of the cache, late puts and any crash, the contents are those of the last token."""
    with TemporaryDirectory() as folder:
        trial = Trial(Path(folder), cached)
        for step, users in steps:
            trial.step(step, users)
        with trial.stores:
            assert contents(trial.store) == trial.held


def test_unknown_user_is_none(store: ShardStore) -> None:
    """A read does not add the user."""
    assert store.get(USERS[0]) is None
    assert len(store) == 0
    assert list(store) == []


def test_cached_state_is_the_same_object_until_eviction(store: ShardStore) -> None:
    """A user with frequent events is unpacked once."""
    touch(store, USERS[:1])
    state = store.get(USERS[0])
    assert state is store.get(USERS[0])
    touch(store, USERS[1:5])
    again = store.get(USERS[0])
    assert again is not None
    assert again is not state


def test_cached_users_are_bounded(tmp_path: Path) -> None:
    """The other users are on disk."""
    with open_stores(tmp_path, cached=4) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        before = {user: store.get(user) for user in reversed(USERS)}
        assert sum(store.get(user) is state for user, state in before.items()) <= 4


def test_changed_states_are_written_before_the_checkpoint(tmp_path: Path) -> None:
    """The checkpoint then takes less time, even if the cache has room for all users."""
    users = pseudonyms(4 * MAX_CHANGED)
    with open_stores(tmp_path, cached=10**6) as stores:
        store = stores.create(users[0])
        for first in range(0, len(users), 50):
            touch(store, users[first : first + 50])
        assert len(store._changed) <= MAX_CHANGED
        assert len(store) == len(contents(store)) == len(users)


def test_iteration_does_not_change_cached_users(store: ShardStore) -> None:
    """The iteration yields copies."""
    touch(store, USERS)
    before = contents(store)
    for _, state in store:
        state.observe(make_observation(START_MS + 10**9), RULES)
    assert contents(store) == before


# Snapshots


def test_unchanged_shard_returns_the_same_token(tmp_path: Path) -> None:
    """A read is no change, in this execution and the next."""
    with open_stores(tmp_path) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        token = store.snapshot()
        store.begin_batch()
        assert store.get(USERS[0]) is not None
        store.end_batch()
        assert store.snapshot() == token
    with open_stores(tmp_path) as stores:
        assert stores.resume(token).snapshot() == token
    assert len(checkpoints(tmp_path)) == 1


def test_snapshot_has_the_state_of_its_time(tmp_path: Path) -> None:
    """Later changes are not in the snapshot."""
    with open_stores(tmp_path) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS[:5])
        token, before = store.snapshot(), contents(store)
        touch(store, USERS, START_MS + 99)
    with open_stores(tmp_path) as stores:
        store = stores.resume(token)
        assert len(store) == 5
        assert contents(store) == before


def test_store_without_a_folder_leaves_no_files() -> None:
    """Snapshots are empty, and the closed stores leave no files."""
    with ShardStores(None, 1, CATALOGUE, cached_users=2) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        assert store.snapshot() == b""
        assert len(contents(store)) == len(USERS)
        folder = stores._folder
        assert folder.exists()
    assert not folder.exists()


# Reclaiming


def test_reclaim_frees_idle_users_only(store: ShardStore) -> None:
    """Users with a newer event stay, and so do cached users."""
    touch(store, USERS[:3])
    touch(store, USERS[3:6], START_MS + DAY_MS)
    touch(store, USERS[6:], START_MS + 2 * DAY_MS)
    store.reclaim(START_MS + DAY_MS, 0, 100)
    assert sorted(contents(store)) == USERS[3:]
    assert len(store) == 5
    store.reclaim(START_MS + 9 * DAY_MS, 0, 100)
    assert sorted(contents(store)) == USERS[6:]


def test_reclaimed_user_is_unknown(store: ShardStore) -> None:
    """The user counts as a new one afterwards."""
    touch(store, USERS)
    store.reclaim(START_MS + 1, 0, 100)
    assert store.get(USERS[0]) is None
    held = len(store)
    touch(store, USERS[:1])
    assert len(store) == held + 1


def test_reclaim_visits_all_users_in_turn(tmp_path: Path) -> None:
    """Each call visits the next users, and starts again after the last."""
    users = pseudonyms(100)
    with open_stores(tmp_path) as stores:
        store = stores.create(users[0])
        touch(store, users)
        touch(store, USERS[6:], START_MS + DAY_MS)
        for _ in range(10):
            before = len(store)
            store.reclaim(START_MS + 1, 0, 11)
            assert before - len(store) <= 11
        assert sorted(contents(store)) == USERS[6:]
        touch(store, users[:20], START_MS + DAY_MS)
        touch(store, USERS[6:], START_MS + DAY_MS)
        for _ in range(3):
            store.reclaim(START_MS + DAY_MS + 1, 0, 11)
        assert sorted(contents(store)) == USERS[6:]


def test_idle_user_with_a_pin_keeps_only_the_pin(store: ShardStore) -> None:
    """Only the pin stays, and a second call changes nothing."""
    touch(store, USERS)
    store.begin_batch()
    state = store.get(USERS[0])
    assert state is not None
    state.observe(make_pin(START_MS + 1, "tone", "formal", user=USERS[0]), RULES)
    store.put(USERS[0], state)
    store.end_batch()
    touch(store, USERS[6:], START_MS + DAY_MS)
    before = contents(store)
    store.reclaim(START_MS + DAY_MS, 0, 100)
    after = contents(store)
    assert sorted(after) == [USERS[0], *USERS[6:]]
    assert len(after[USERS[0]]) < 110 < len(before[USERS[0]])
    store.reclaim(START_MS + DAY_MS, 0, 100)
    assert contents(store) == after


def test_reclaimed_users_are_not_in_the_next_checkpoint(tmp_path: Path) -> None:
    """The next checkpoint is without the users, and so is its count."""
    with open_stores(tmp_path) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        store.snapshot()
        touch(store, USERS[6:], START_MS + DAY_MS)
        store.reclaim(START_MS + DAY_MS, 0, 100)
        token = store.snapshot()
    with open_stores(tmp_path) as stores:
        store = stores.resume(token)
        assert len(store) == 2
        assert sorted(contents(store)) == USERS[6:]
