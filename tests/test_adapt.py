"""operators/adapt: a shard's observations in, writes and rejects out."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.adapt import Adapt
from state.counters import EventCounters, Outcome
from state.observation import Kind, Observation, pack
from state.records import Reason, Reject
from state.signals import GateWrite, SignalWrite, Write
from state.store import ShardStore
from state.user import Rules
from state.windows import DAY_MS
from tests.making import (
    CATALOGUE,
    ORIGIN,
    REQUIRED,
    RULES,
    SHA256,
    START_MS,
    USER,
    interactions,
    make_observation,
    make_pin,
    words,
)
from tests.shown import Shown

NOW_MS = START_MS + 40 * DAY_MS
USERS = [bytes([number]) * 16 for number in range(5)]
EVENTS = st.lists(interactions(USERS) | words(USERS), max_size=60)


def make_adapt(counters: EventCounters | None = None, snapshot: bytes | None = None, rules: Rules = RULES) -> Adapt:
    store = ShardStore(rules.catalogue, shards=16, live_users=1)
    if snapshot is not None:
        store.restore(snapshot)
    return Adapt(store, rules, counters or EventCounters(), clock=lambda: NOW_MS)


def run(adapt: Adapt, events: Sequence[Observation], *cuts: int) -> list[Write | Reject]:
    """Hand over the events in batches that are cut at these places; return all that comes out."""
    out: list[Write | Reject] = []
    for start, end in pairwise([0, *sorted(cuts), len(events)]):
        items, retained = adapt.on_batch([[pack(o) for o in events[start:end]]])
        assert not retained
        out += items
    return out


def shown(out: Sequence[Write | Reject]) -> dict[bytes, dict[str, dict[str, Any]]]:
    """Return what Redis shows of each person then."""
    people: dict[bytes, Shown] = {}
    for write in out:
        if not isinstance(write, Reject):
            people.setdefault(write.user, Shown()).take([write])
    return {user: person.fields for user, person in people.items()}


# Batches


@settings(max_examples=200)
@given(EVENTS, st.lists(st.integers(0, 60), max_size=20))
def test_what_is_shown_does_not_depend_on_how_events_are_cut_into_batches(
    events: list[Observation], cuts: list[int]
) -> None:
    """A replay reads big batches, a live run small ones: the JSON of each field is the same in the end."""
    whole, pieces = make_adapt(), make_adapt()
    at_once = shown(run(whole, events))
    assert at_once == shown(run(pieces, events, *[min(cut, len(events)) for cut in cuts]))
    assert whole.snapshot() == pieces.snapshot()


@given(EVENTS, st.integers(0, 60))
def test_resumed_shard_goes_on_as_if_nothing_had_happened(events: list[Observation], cut: int) -> None:
    """From its snapshot, with the rest of the events."""
    steady, first = make_adapt(), make_adapt()
    run(first, events[:cut])
    resumed = make_adapt(snapshot=first.snapshot())
    run(steady, events[:cut])
    assert run(resumed, events[cut:]) == run(steady, events[cut:])
    assert resumed.snapshot() == steady.snapshot()


def test_person_is_written_once_in_a_batch() -> None:
    """All fields in one call, gates before it."""
    events = [
        make_observation(START_MS, kind=Kind.FORGET),
        *[make_observation(START_MS + n, served={"length": "concise"}, feedback="thumbs_up") for n in range(1, 9)],
        make_pin(START_MS + 10, "tone", "formal"),
    ]
    gate, signals = run(make_adapt(), events)
    assert isinstance(gate, GateWrite)
    assert isinstance(signals, SignalWrite)
    assert sorted(name for name, _ in signals.fields) == ["_profile", "length", "tone"]


def test_packed_groups_of_one_batch_are_one() -> None:
    """Several workers send to one shard."""
    first = make_observation(START_MS, served={"tone": "formal"}, feedback="thumbs_up")
    second = make_observation(START_MS + 1, served={"length": "concise"}, feedback="thumbs_up")
    out, _ = make_adapt().on_batch([[pack(first)], [], [pack(second)]])
    (fields,) = shown(out).values()
    assert fields["tone"]["v"] == f"{START_MS}-0000000001"
    assert fields["length"]["v"] == f"{START_MS + 1}-0000000002"


def test_people_do_not_mix() -> None:
    """Whose event it is, theirs is the write."""
    events = [make_observation(START_MS, user=user, served={"tone": "formal"}, feedback="thumbs_up") for user in USERS]
    assert [write.user for write in run(make_adapt(), events) if not isinstance(write, Reject)] == USERS


# Counts


@given(EVENTS)
def test_every_observation_has_one_count(events: list[Observation]) -> None:
    """Accepted, duplicate, unconsented, before a wipe, or late; people are counted as they come to be held."""
    counters = EventCounters()
    adapt = make_adapt(counters)
    out = run(adapt, events)
    assert counters.total == len(events)
    assert counters.rejects[Reason.LATE] == sum(isinstance(item, Reject) for item in out)
    restarted = EventCounters()
    make_adapt(restarted, adapt.snapshot())
    assert restarted.users == counters.users


def test_person_of_whom_nothing_is_accepted_is_not_held() -> None:
    """Without consent there is nothing to keep."""
    counters = EventCounters()
    adapt = make_adapt(counters, rules=Rules(REQUIRED))
    assert run(adapt, [make_observation(START_MS + n) for n in range(3)]) == []
    assert counters.outcomes[Outcome.UNCONSENTED] == 3
    assert counters.users == 0
    assert adapt.snapshot() == make_adapt(rules=Rules(REQUIRED)).snapshot()


# Rejects


def test_late_event_is_a_reject_like_any_other() -> None:
    """It says where the record stands; the state does not change."""
    late = make_observation(START_MS - DAY_MS - 1)._replace(position=7)
    adapt = make_adapt()
    before, after = [make_observation(START_MS)], [make_observation(START_MS + 1)]
    run(adapt, before)
    (reject,) = run(adapt, [late])
    assert reject == Reject(
        Reason.LATE, "more than 24 h older than the person's newest event", ORIGIN, 7, SHA256.hex(), NOW_MS
    )
    run(adapt, after)
    calm = make_adapt()
    run(calm, before + after)
    assert adapt.snapshot() == calm.snapshot()


def test_detail_of_a_late_event_says_what_is_allowed() -> None:
    """As it was set."""
    adapt = make_adapt(rules=Rules(CATALOGUE, lateness_ms=90 * 60_000))
    (reject,) = [
        item
        for item in run(adapt, [make_observation(START_MS), make_observation(START_MS - DAY_MS)])
        if isinstance(item, Reject)
    ]
    assert reject.detail == "more than 1.5 h older than the person's newest event"


def test_control_event_is_never_late() -> None:
    """A year old, and it counts."""
    old = make_observation(START_MS - 365 * DAY_MS, kind=Kind.DENY)
    _, gate = run(make_adapt(), [make_observation(START_MS), old], 1)
    assert gate == GateWrite(USER, old.at_ms, old.at_ms, opted_out=True)
