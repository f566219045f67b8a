"""Restoration of a shard after a loss of data in Redis: the present gates and signals of all users."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.restoring import Restoring
from state.events.observation import Kind, Observation
from state.events.records import Restore
from state.user.full_write import gate_write, signals_write
from state.user.writes import GateWrite, Restored, SignalWrite
from tests.operators.test_adapt import EVENTS, Shard, run, unkept
from tests.support.factories import RULES, START_MS, make_observation
from tests.support.observed_records import records_of

LIKE = make_observation(START_MS, served={"tone": "formal"}, feedback="thumbs_up")


def _restore(number: int = 1, partition: str = "0", partitions: int = 1) -> Restore:
    return Restore(number, partition, partitions, shard=3)


def _steps(shard: Shard) -> list[Restored]:
    """Return the output of a shard that Bytewax wakes until it has nothing to do."""
    found: list[Restored] = []
    while shard.notify_at() is not None:
        items, _ = shard.on_notify()
        found += [item for item in items if isinstance(item, Restored)]
        if found and found[-1].is_last:
            return found
    return found


@settings(max_examples=50)
@given(EVENTS.filter(len), st.integers(1, 4), st.integers(1, 4))
def test_all_gates_come_first_and_then_all_signals(events: list[Observation], gates: int, signals: int) -> None:
    """They are those of the newest state, whatever the steps."""
    with unkept() as stores:
        shard = Shard(stores)
        run(shard, events)
        store = shard._store
        assert store is not None
        restoring, found = Restoring(gates, signals), list[Restored]()
        restoring.take(_restore())
        while restoring.is_running:
            found.append(restoring.step(store, RULES.prior))
        users = list(store)
        all_gates = [gate_write(user, state, RULES.prior) for user, state in users]
        all_signals = [signals_write(user, state, RULES.prior) for user, state in users]
        expected = [write for write in (*all_gates, *all_signals) if write]
        assert [write for part in found for write in part.writes] == expected
        assert [part.is_last for part in found] == [*[False] * (len(found) - 1), True]


def test_restoration_begins_with_the_mark_of_the_last_partition() -> None:
    """A "no" may be in the records of any partition."""
    with unkept() as stores:
        shard = Shard(stores)
        shard.on_batch([records_of([LIKE])])
        shard.on_batch([_restore(1, "0", 2), _restore(1, "0", 2)])
        assert shard.notify_at() is None
        shard.on_batch([_restore(1, "1", 2)])
        assert shard.notify_at() is not None
        assert _kinds(_steps(shard)) == [SignalWrite]
        assert shard.notify_at() is None


def test_events_pass_between_the_steps() -> None:
    """A "no" of the meantime ends the signals of the user in the restoration, too."""
    with unkept() as stores:
        shard = Shard(stores)
        shard.on_batch([records_of([LIKE])])
        shard.on_batch([_restore()])
        shard.on_notify()
        denial = make_observation(START_MS + 1, kind=Kind.DENY)
        shard.on_batch([records_of([denial])])
        assert _kinds(_steps(shard)) == []


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_later_loss_begins_again(steps: int) -> None:
    """Redis lost what the earlier restoration had written."""
    with unkept() as stores:
        shard = Shard(stores)
        shard.on_batch([records_of([LIKE])])
        shard.on_batch([_restore(1)])
        for _ in range(steps):
            shard.on_notify()
        shard.on_batch([_restore(2)])
        found = _steps(shard)
        assert {part.number for part in found} == {2}
        assert _kinds(found) == [SignalWrite]


def test_shard_without_users_is_restored_at_once() -> None:
    """And discarded, as a snapshot needs users."""
    with unkept() as stores:
        items, is_discarded = Shard(stores).on_batch([_restore()])
    assert items == [Restored(1, 3, (), is_last=True)]
    assert is_discarded


def _kinds(parts: Sequence[Restored]) -> list[type[GateWrite | SignalWrite]]:
    return [type(write) for part in parts for write in part.writes]
