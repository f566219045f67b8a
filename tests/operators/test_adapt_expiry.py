"""State of absent users is freed: the count of users, bytes on disk, and memory."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from operators.adapt import RECLAIMED_PER_INTERVAL, Adapt, Adapted
from state.counters import EventCounters
from state.events.observation import Kind, Observation
from state.events.records import Records
from state.storage.rocksdb import RocksDatabase
from state.storage.shard_stores import ShardStores
from state.user import codec
from state.user.absence import RECLAIM_GRACE_MS
from state.user.windows import DAY_MS
from tacit.contract.events import MAX_AT_MS
from tests.support.factories import CATALOGUE, RULES, START_MS, control_events, interactions, make_observation, make_pin
from tests.support.observed_records import parse_observed, records_of
from tests.support.shard_stores import USERS, checkpoints, contents, open_stores, pseudonyms

FREED_AFTER_MS = RULES.idle_ms + RECLAIM_GRACE_MS
INTERVALS_UNTIL_FREED = 90
"""A round over all users, and RocksDB's next compaction."""


class Shard(Adapt):
    """A shard with a checkpoint after each batch, and a cache of one user per generation."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder nothing is reclaimed."""
        self.stores = open_stores(folder) if folder else ShardStores(None, 1, CATALOGUE, cached_users=2)
        self.counters = EventCounters()
        super().__init__(
            self.stores, RULES, self.counters, parse_observed, reclaims=folder is not None, clock=lambda: START_MS
        )

    def interval(self, events: list[Observation]) -> list[Adapted]:
        out, _ = self.on_batch([records_of(events)])
        self.snapshot()
        return out

    @property
    def held(self) -> dict[bytes, bytes]:
        assert self._store is not None
        return contents(self._store)


def answer(user: bytes, at_ms: int) -> Observation:
    return make_observation(at_ms, user=user, served={"tone": "formal", "length": "concise"}, feedback="thumbs_up")


def disk_bytes(folder: Path) -> int:
    """Return the size of the newest checkpoint."""
    return sum(file.stat().st_size for file in checkpoints(folder)[-1].glob("*.sst"))


def memory_bytes(folder: Path) -> int:
    """Return the memory of RocksDB for the newest checkpoint's tables, which grows with the number of users."""
    database = RocksDatabase(1).open_read_only(checkpoints(folder)[-1])
    try:
        return int(database.property_int_value("rocksdb.estimate-table-readers-mem") or 0)
    finally:
        database.close()


def test_count_disk_and_memory_shrink_with_absent_users(tmp_path: Path) -> None:
    """Of several thousand users, the active ones continue; of the others, only consent, pins and wipes stay."""
    users = pseudonyms(6000)
    denied, pinned, forgotten, active = users[:50], users[50:100], users[100:150], users[-20:]
    shard = Shard(tmp_path)
    with shard.stores:
        shard.interval([answer(user, START_MS) for user in users])
        own_words = [make_observation(START_MS + 1, kind=Kind.DENY, user=user) for user in denied]
        own_words += [make_pin(START_MS + 1, "tone", "formal", user=user) for user in pinned]
        own_words += [make_observation(START_MS + 1, kind=Kind.FORGET, user=user) for user in forgotten]
        shard.interval(own_words)
        for day in range(0, 125, 25):
            shard.interval([answer(user, START_MS + day * DAY_MS) for user in active])
        assert len(shard.held) == shard.counters.users == len(users)
        disk, memory = disk_bytes(tmp_path), memory_bytes(tmp_path)
        for number in range(INTERVALS_UNTIL_FREED):
            shard.interval([answer(user, START_MS + FREED_AFTER_MS + DAY_MS + number) for user in active])
        held = shard.held
        assert sorted(held) == sorted([*denied, *pinned, *forgotten, *active])
        assert len(held) == shard.counters.users
        assert {codec.parts_held(held[user]) for user in [*denied, *forgotten]} == {"tombstone"}
        assert {codec.parts_held(held[user]) for user in pinned} == {"pins"}
        assert max(len(held[user]) - held[user].count(0) for user in [*denied, *pinned, *forgotten]) < 120
        assert disk_bytes(tmp_path) < disk / 5
        assert memory_bytes(tmp_path) < memory / 2


def test_no_user_is_freed_too_early(tmp_path: Path) -> None:
    """The bound is exact to the millisecond, and counts from the oldest event of a checkpoint interval."""
    early, late, come = USERS[0], USERS[1], USERS[2:]
    shard = Shard(tmp_path)
    with shard.stores:
        shard.interval([answer(early, START_MS - 1), answer(late, START_MS)])
        then_ms = START_MS + FREED_AFTER_MS
        for _ in range(2):
            shard.interval([answer(user, then_ms + 1) for user in come] + [answer(come[0], then_ms - 1)])
        assert {early, late} < set(shard.held)
        for _ in range(2):
            shard.interval([answer(user, then_ms) for user in come])
        assert set(shard.held) == {late, *come}


def test_round_reaches_all_users_a_part_at_a_time(tmp_path: Path) -> None:
    """Each checkpoint interval scans a part of the users."""
    users = pseudonyms(3 * RECLAIMED_PER_INTERVAL)
    shard = Shard(tmp_path)
    with shard.stores:
        shard.interval([answer(user, START_MS) for user in users])
        left = [shard.counters.users]
        for _ in range(7):
            shard.interval([answer(USERS[7], START_MS + FREED_AFTER_MS + 1)])
            left.append(shard.counters.users)
    assert max(before - after for before, after in pairwise(left)) <= RECLAIMED_PER_INTERVAL
    assert left[-1] <= 3  # the one who comes, and who else is live


@pytest.mark.parametrize("at_ms", [MAX_AT_MS, START_MS + 50 * 365 * DAY_MS])
def test_time_of_a_control_event_frees_no_other_user(tmp_path: Path, at_ms: int) -> None:
    """A device with a clock ahead retries its "no", alone in its shard; the records' own times are right."""
    shard, no = Shard(tmp_path), make_observation(at_ms, kind=Kind.DENY, user=USERS[0], record_ms=START_MS + 1)
    with shard.stores:
        shard.interval([answer(user, START_MS) for user in USERS])
        for number in range(3):
            shard.interval([replace(no, event=number + 1)])
        assert set(shard.held) == set(USERS)


def test_time_of_an_interaction_keeps_no_absent_user(tmp_path: Path) -> None:
    """A device with a clock years behind does not stop the freeing of absent users."""
    shard, now_ms = Shard(tmp_path), START_MS + FREED_AFTER_MS + DAY_MS
    with shard.stores:
        shard.interval([answer(user, START_MS) for user in USERS[1:]])
        for number in range(INTERVALS_UNTIL_FREED):
            behind = answer(USERS[0], START_MS - 900 * DAY_MS + number)
            shard.on_batch([Records(record._replace(timestamp_ms=now_ms) for record in records_of([behind]))])
            shard.snapshot()
        assert len(shard.held) <= 3


# What is freed is not missed


FEW = USERS[:4]
EVENTS = st.lists(interactions(FEW) | interactions(FEW) | control_events(FEW), min_size=1, max_size=3)
GAPS = st.sampled_from([0, 1, *(days * DAY_MS for days in (1, 20, 35, 61, 90, 121))])
SKEWS = st.sampled_from([0, DAY_MS, RECLAIM_GRACE_MS]) | st.integers(0, RECLAIM_GRACE_MS)


def _moved(o: Observation, at_ms: int) -> Observation:
    """Return an event at another time, of the record, too; a control event with another hash of its content."""
    event = o.event if o.kind == Kind.INTERACTION else hash((o.event, at_ms)) & 0xFFFFFFFF
    return replace(o, at_ms=at_ms, event=event, record_ms=o.kind and at_ms)


@st.composite
def streams(draw: st.DrawFn) -> list[list[Observation]]:
    """Return checkpoint intervals of events of users up to 30 days apart, with short and long absences."""
    clock_ms, intervals = START_MS, []
    behind_ms = {user: draw(SKEWS) for user in FEW}
    for gap_ms, events in draw(st.lists(st.tuples(GAPS, EVENTS), min_size=1, max_size=8)):
        clock_ms += gap_ms
        intervals.append([_moved(o, clock_ms - behind_ms[o.user]) for o in events])
    return intervals


@settings(max_examples=25)
@given(streams())
def test_reclaiming_changes_no_writes_and_no_counts(intervals: list[list[Observation]]) -> None:
    """Writes equal those without reclaiming, and the states of active users keep every byte."""
    with TemporaryDirectory() as folder:
        frugal, keeping = Shard(Path(folder)), Shard(None)
        with frugal.stores, keeping.stores:
            for events in intervals:
                assert frugal.interval(events) == keeping.interval(events)
            assert frugal.counters.outcomes == keeping.counters.outcomes
            newest_ms = max(o.at_ms for events in intervals for o in events)
            held, all_held = frugal.held, keeping.held
            assert set(held) <= set(all_held)
            assert frugal.counters.users == len(held)
            recent = [user for user in all_held if newest_ms - codec.newest_ms(all_held[user]) <= FREED_AFTER_MS]
            assert {user: held.get(user) for user in recent} == {user: all_held[user] for user in recent}
