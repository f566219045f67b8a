"""state/store, against a plain dict of live states."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state import codec
from state.catalogue import Catalogue
from state.errors import StateError
from state.store import ShardStore
from state.user import UserState
from tests.making import CATALOGUE, FILMS, RULES, START_MS, make_observation

SHARDS = 16
USERS = [bytes([number]) * 16 for number in range(8)]


def make_store(live_users: int = 2) -> ShardStore:
    return ShardStore(CATALOGUE, SHARDS, live_users)


def filled(people: int = 5) -> ShardStore:
    """Return a store of some people, each with as many turns as the number of their place."""
    store = make_store()
    for number, user in enumerate(USERS[:people]):
        state = UserState()
        for turn in range(number + 1):
            state.observe(make_observation(START_MS + turn, event=1 + turn, user=user), RULES)
        store.put(user, state)
    return store


def contents(store: ShardStore) -> dict[bytes, bytes]:
    return {user: codec.pack(state) for user, state in store}


# As a dict

BATCHES = st.lists(
    st.tuples(st.sampled_from(["change", "change", "look", "snapshot"]), st.lists(st.sampled_from(USERS), max_size=6)),
    max_size=30,
)


@settings(max_examples=200)
@given(BATCHES, st.integers(1, 4))
def test_store_behaves_as_a_plain_dict(batches: list[tuple[str, list[bytes]]], live_users: int) -> None:
    """However small the cache, however long a batch holds on to states before it puts them back."""
    store = make_store(live_users)
    model: dict[bytes, UserState] = {}
    clock_ms = START_MS
    for step, users in batches:
        if step == "snapshot":
            snapshot = store.snapshot()
            store = make_store(live_users)
            store.restore(snapshot)
        touched: dict[bytes, UserState] = {}
        for user in users:
            state = touched.get(user) or store.get(user)
            assert (state is None) is (user not in model)
            if state is not None:
                assert codec.pack(state) == codec.pack(model[user])
            if step == "change":
                clock_ms += 1
                touched[user] = state or UserState()
                o = make_observation(clock_ms, user=user, served={"tone": "formal"}, feedback="thumbs_up")
                touched[user].observe(o, RULES)
                model.setdefault(user, UserState()).observe(o, RULES)
        for user, state in touched.items():
            store.put(user, state)
        assert len(store) == len(model)
    assert contents(store) == {user: codec.pack(state) for user, state in model.items()}


def test_someone_unknown_is_none() -> None:
    """Looking does not make them known."""
    store = make_store()
    assert store.get(USERS[0]) is None
    assert len(store) == 0
    assert list(store) == []


def test_live_state_is_the_same_object_until_it_is_packed_away() -> None:
    """Whoever is touched often is not unpacked again."""
    store = filled(people=1)
    state = store.get(USERS[0])
    assert state is store.get(USERS[0])
    for user in USERS[1:5]:
        store.put(user, UserState())
    again = store.get(USERS[0])
    assert again is not None
    assert again is not state


def test_live_people_are_bounded() -> None:
    """Two generations; the others are bytes."""
    store = make_store(live_users=2)
    states = {}
    for user in USERS:
        states[user] = UserState()
        store.put(user, states[user])
    assert sum(store.get(user) is states[user] for user in reversed(USERS)) <= 2 * 2


# Snapshots


@pytest.mark.parametrize("people", [0, 1, 5])
def test_restored_snapshot_is_equal(people: int) -> None:
    """In content, number of people, and the snapshot that it gives."""
    store, restored = filled(people), make_store()
    snapshot = store.snapshot()
    restored.restore(snapshot)
    assert len(restored) == len(store) == people
    assert contents(restored) == contents(store)
    assert restored.snapshot() == snapshot


def test_snapshot_does_not_depend_on_what_is_live() -> None:
    """Packed away or not, the same people give the same bytes."""
    few, many = make_store(live_users=1), make_store(live_users=100)
    for store in (few, many):
        for number, user in enumerate([*USERS, *USERS]):
            state = store.get(user) or UserState()
            state.observe(make_observation(START_MS + number, event=1 + number, user=user), RULES)
            store.put(user, state)
    assert few.snapshot() == many.snapshot()


def test_snapshot_is_of_its_moment() -> None:
    """What comes after it does not show in it."""
    store = filled()
    snapshot, before = store.snapshot(), contents(store)
    state = store.get(USERS[0])
    assert state is not None
    state.observe(make_observation(START_MS + 99), RULES)
    store.put(USERS[0], state)
    restored = make_store()
    restored.restore(snapshot)
    assert contents(restored) == before != contents(store)


SNAPSHOT = filled().snapshot()


@given(st.integers(0, 8 * len(SNAPSHOT) - 1))
def test_snapshot_with_any_bit_flipped_is_refused(bit: int) -> None:
    """Header or people."""
    damaged = bytearray(SNAPSHOT)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StateError):
        make_store().restore(bytes(damaged))


def test_header_with_any_bit_flipped_is_refused() -> None:
    """It is no part of the checksum, so each bit is looked at."""
    for bit in range(8 * 23):
        damaged = bytearray(SNAPSHOT)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StateError):
            make_store().restore(bytes(damaged))


@given(st.integers(0, len(SNAPSHOT) - 1))
def test_truncated_snapshot_is_refused(end: int) -> None:
    """Wherever it ends."""
    with pytest.raises(StateError, match="restore the state folder from a backup"):
        make_store().restore(SNAPSHOT[:end])


@pytest.mark.parametrize("snapshot", [b"", b"TCST", b"SQLite format 3\0" * 10, SNAPSHOT + b"x"])
def test_what_is_no_snapshot_is_refused(snapshot: bytes) -> None:
    """With what to do about it."""
    with pytest.raises(StateError, match="restore the state folder from a backup"):
        make_store().restore(snapshot)


def test_snapshot_of_another_format_is_refused() -> None:
    """A newer version of Tacit wrote it."""
    with pytest.raises(StateError, match="format 2; this version reads format 1"):
        make_store().restore(SNAPSHOT[:4] + b"\x02" + SNAPSHOT[5:])


def test_snapshot_for_other_shards_is_refused() -> None:
    """People would be looked for where they are not."""
    with pytest.raises(StateError, match="written with 16 shards, not 8: use --shards 16"):
        ShardStore(CATALOGUE, 8).restore(SNAPSHOT)


def test_snapshot_of_another_vocabulary_is_refused() -> None:
    """Its slots would stand for other values."""
    with pytest.raises(StateError, match="use that catalogue, or replay history into a new state folder"):
        ShardStore(Catalogue.parse(FILMS), SHARDS).restore(SNAPSHOT)


def test_snapshot_of_a_later_version_of_the_catalogue_is_taken_over() -> None:
    """Its names are the same."""
    store = ShardStore(replace(CATALOGUE, version=2), SHARDS)
    store.restore(SNAPSHOT)
    assert len(store) == 5


def test_iterating_leaves_the_live_people_alone() -> None:
    """What is handed out are copies."""
    store = filled()
    for _, state in store:
        state.observe(make_observation(START_MS + 10**9), RULES)
    assert store.snapshot() == SNAPSHOT
