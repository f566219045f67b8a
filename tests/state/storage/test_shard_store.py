"""Shard store, compared with a plain dict of packed states."""

import struct
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.errors import StateError, StorageError
from state.events.observation import Kind
from state.storage.shard_database import ShardDatabase
from state.storage.shard_store import MAX_CHANGED, ShardStore
from state.storage.shard_stores import ShardStores
from state.user import codec
from state.user.parts import Waiting
from state.user.user_state import UserState
from state.user.windows import DAY_MS
from state.user.writes import GateWrite
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation, make_pin
from tests.support.shard_stores import (
    USERS,
    checkpoints,
    contents,
    make_turn,
    open_stores,
    process,
    pseudonyms,
    touch,
)

TOUCHED = st.lists(st.sampled_from(USERS), max_size=6)
BLANK = codec.pack(UserState(CATALOGUE))
"""Row of an unknown user."""
STEPS = st.sampled_from(["change", "change", "change", "look", "get", "snapshot", "restart", "crash"])


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
        if step == "get":
            self.get(users)
        if step in {"snapshot", "restart"}:
            self.token, self.saved = self.store.snapshot(), dict(self.held)
        if step in {"restart", "crash"}:
            self.stores.__exit__(None, None, None)
            self.held = dict(self.saved)
            self.open()
        assert len(self.store) == len(self.held)

    def batch(self, users: list[bytes], *, changes: bool) -> None:
        """Read users, or change their states and put them at the end of the batch."""
        waiting = {user: Waiting() for user in users}
        self.store.begin_batch(waiting)
        touched = set[bytes]()
        for user in users:
            state = self.store.move_to(user, waiting[user])
            if user not in touched:
                assert codec.pack(state) == self.held.get(user, BLANK)
            if changes:
                self.clock_ms += 1
                state.observe(make_observation(self.clock_ms, user=user, feedback="thumbs_up"), RULES)
                touched.add(user)
        for user in touched:
            self.store.put(user)
            self.held[user] = codec.pack(self.store.move_to(user, waiting[user]))
        self.store.end_batch()

    def get(self, users: list[bytes]) -> None:
        """Read users one by one, between batches."""
        for user in users:
            state = self.store.get(user)
            assert (codec.pack(state) if state else None) == self.held.get(user)


@settings(max_examples=60)
@given(st.lists(st.tuples(STEPS, TOUCHED), max_size=25), st.integers(1, 8))
def test_store_equals_a_plain_dict(steps: list[tuple[str, list[bytes]]], cached: int) -> None:
    """For each size of the table, late puts and any crash, the contents are those of the last token."""
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


def test_row_stays_at_its_place_until_eviction(store: ShardStore) -> None:
    """A user with frequent events is read once; a read between batches takes no place."""
    touch(store, USERS[:1])
    place = store._places[USERS[0]]
    touch(store, USERS[:2], START_MS + 1)
    assert store._places[USERS[0]] == place
    touch(store, USERS[1:5], START_MS + 2)
    assert USERS[0] not in store._places
    assert store.get(USERS[0]) is not None
    assert USERS[0] not in store._places


def test_cached_users_are_bounded(tmp_path: Path) -> None:
    """The table keeps those of the last events; the other users are on disk, and their places are free."""
    with open_stores(tmp_path, cached=4) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        assert list(store._places) == USERS[-4:]
        places = [*store._places.values(), *store._free]
        assert sorted(places) == list(range(store._table.room))
        assert len(store) == len(contents(store)) == len(USERS)


# A batch


@pytest.mark.parametrize("cached", [1, 10**6])
def test_batch_of_more_users_than_the_table_has_room_for(tmp_path: Path, cached: int) -> None:
    """The table grows under rows of the batch, and no user gets the row of another."""
    users = pseudonyms(300)
    with open_stores(tmp_path, cached=cached) as stores:
        store = stores.create(users[0])
        touch(store, users[:50])
        assert store._table.room < len(users)
        turns = [make_turn(user, START_MS + 1 + n % 7) for n, user in enumerate(users)]
        process(store, [*turns, *turns[:9]])
        assert len(store) == len(users)
        assert len(store._places) == min(cached, len(users))
        held = contents(store)
        for number, user in enumerate(users):
            alone = UserState(CATALOGUE)
            assert alone.observe(turns[number], RULES).changes
            if number >= 50:
                assert held[user] == codec.pack(alone)
            else:
                assert (store.get(user) or alone).seq == 2


def test_table_grows_no_further_than_its_largest_batch(tmp_path: Path) -> None:
    """Places of evicted users are taken again."""
    users = pseudonyms(1000)
    with open_stores(tmp_path, cached=1) as stores:
        store = stores.create(users[0])
        for first in range(0, len(users), 50):
            touch(store, users[first : first + 50])
        assert store._table.room == 64
        assert len(contents(store)) == len(users)


def test_eviction_writes_changed_rows_first(tmp_path: Path) -> None:
    """No change is lost: a read finds the rows of the batch on disk."""
    users = pseudonyms(40)
    with open_stores(tmp_path, cached=1) as stores:
        store = stores.create(users[0])
        for at_ms in (START_MS, START_MS + 1):
            turns = {user: make_turn(user, at_ms) for user in users}
            store.begin_batch(users)
            left = {}
            for user, turn in turns.items():
                assert store.move_to(user, Waiting()).observe(turn, RULES).changes
                store.put(user)
                left[user] = codec.pack(store.state)
            store.end_batch()
            (kept,) = store._places
            assert {user: codec.pack(state) for user in users if (state := store.get(user))} == left
            del left[kept]
            assert {user: store._database.get(user) for user in left} == left


def test_unknown_users_without_accepted_events_leave_nothing(tmp_path: Path) -> None:
    """They are neither counted nor stored, and their places are free after the batch."""
    users = pseudonyms(500)
    with open_stores(tmp_path, cached=10**6) as stores:
        store = stores.create(users[0])
        touch(store, users[:1])
        for first in range(0, len(users), 20):
            strangers = users[1 + first :][:20]
            process(store, [make_observation(user=user, kind=Kind.FORGET, is_foreign=True) for user in strangers])
        assert len(store) == 1
        assert list(store._places) == users[:1]
        assert len(store._free) == store._table.room - 1 == 63
        assert store.get(users[1]) is None
        assert list(contents(store)) == users[:1]
        touch(store, users[1:3], START_MS + 1)
        assert [(store.get(user) or store.state).seq for user in users[:3]] == [1, 1, 1]


@given(st.lists(st.sampled_from(USERS), unique=True), st.lists(st.sampled_from(USERS), unique=True))
@settings(max_examples=25)
def test_read_of_many_users_equals_single_reads(known: list[bytes], users: list[bytes]) -> None:
    """In any order, whether users are in the table, on disk or unknown."""
    with TemporaryDirectory() as folder, open_stores(Path(folder)) as stores:
        store = stores.create(USERS[0])
        for number, user in enumerate(known):
            touch(store, [user], START_MS + number)
        single = {user: codec.pack(state) if (state := store.get(user)) else BLANK for user in users}
        store.begin_batch(users)
        assert {user: codec.pack(store.move_to(user, Waiting())) for user in users} == single
        store.end_batch()
        assert len(store) == len(known)


def test_writes_wait_for_their_own_user(store: ShardStore) -> None:
    """The cursor moves between users in the middle of a batch."""
    waiting = {user: Waiting() for user in USERS[:2]}
    store.begin_batch(waiting)
    for user in (*USERS[:2], *USERS[:2]):
        store.move_to(user, waiting[user]).observe(make_turn(user, START_MS), RULES)
    for user in USERS[:2]:
        (write,) = store.move_to(user, waiting[user]).take_writes(user, CATALOGUE)
        assert write.user == user
        assert store.move_to(user, waiting[user]).take_writes(user, CATALOGUE) == []
    store.end_batch()


# Writes


def test_changed_states_are_written_before_the_checkpoint(tmp_path: Path) -> None:
    """The checkpoint then takes less time, even if the table has room for all users."""
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
        store.begin_batch(USERS[:1])
        assert store.move_to(USERS[0], Waiting()).seq == 1
        store.end_batch()
        assert store.get(USERS[0]) is not None
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
    """The row is that of a user without activity, and a second call changes nothing."""
    pin = make_pin(START_MS + 1, "tone", "formal", user=USERS[0])
    touch(store, USERS)
    process(store, [pin])
    touch(store, USERS[6:], START_MS + DAY_MS)
    before = contents(store)
    store.reclaim(START_MS + DAY_MS, 0, 100)
    after = contents(store)
    assert sorted(after) == [USERS[0], *USERS[6:]]
    assert [codec.parts_held(held[USERS[0]]) for held in (before, after)] == ["learned", "pins"]
    pinned = UserState(CATALOGUE)
    pinned.observe(pin, RULES)
    assert pinned.retire(0)
    assert after[USERS[0]] == codec.pack(pinned)
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


# Rows of an earlier layout


@pytest.mark.parametrize("visit", ["read", "reclaim"])
def test_pins_of_layout_3_reach_the_gate_with_the_users_next_change(store: ShardStore, visit: str) -> None:
    """They were signals then; a read and a visit without a change do not lose them."""
    tone, formal = CATALOGUE.facet_index["tone"], CATALOGUE.slot_index["tone"]["formal"]
    header = struct.pack("<BqIqqBqIBBBBHBBBHBBBI", 3, START_MS, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, *[0] * 7)
    store._database.write([(USERS[1], header + struct.pack("<Bhq?", tone, formal, START_MS, True))])
    if visit == "reclaim":
        store.reclaim(START_MS + 1, START_MS + 1, 8)
    store.begin_batch([USERS[1]])
    store.end_batch()
    touch(store, [USERS[2], USERS[3]])  # drops the unchanged user from the table
    for number in range(2):
        store.begin_batch([USERS[1]])
        writes = store.move_to(USERS[1], Waiting()).take_writes(USERS[1], CATALOGUE)
        assert [write.gate.pins["tone"].value for write in writes if isinstance(write, GateWrite)] == ["formal"][
            number:
        ]
        store.put(USERS[1])
        store.end_batch()


def test_failed_write_loses_no_change(store: ShardStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The changed rows still wait, and the next write takes them."""
    touch(store, USERS[:3])
    with monkeypatch.context() as failing:
        failing.setattr(ShardDatabase, "write", _fail)
        with pytest.raises(StorageError):
            store.start_flush()
    store.start_flush()
    assert set(contents(store)) == set(USERS[:3])


def _fail(*_: object) -> None:
    raise StorageError("shard 0 cannot be used: no space is left")


def test_unreadable_row_takes_no_place(store: ShardStore) -> None:
    """Each failed load leaves the table as it was."""
    store._database.write([(USERS[0], b"damaged")])
    free = len(store._free)
    with pytest.raises(StateError):
        store.begin_batch(USERS[:1])
    assert len(store._free) == free
    store._database.delete(USERS[:1])
    touch(store, USERS[1:3])
    assert set(contents(store)) == set(USERS[1:3])
