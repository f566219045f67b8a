"""operators/adapt: a shard's observations in, writes and rejects out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.adapt import Adapt, Examples
from state.counters import EventCounters, Outcome
from state.events.observation import Kind, Observation
from state.events.records import Reason, Records, Reject, RoundEnd
from state.learning.example import Example, Forget
from state.storage.shard_stores import ShardStores
from state.user.rules import Rules
from state.user.windows import DAY_MS
from state.user.writes import GateWrite, Restored, SignalWrite, Write
from tacit.contract.gates import ScopeConsent
from tests.support.decoded_writes import Shown
from tests.support.factories import (
    CATALOGUE,
    ORIGIN,
    REQUIRED,
    RULES,
    START_MS,
    control_events,
    interactions,
    make_event,
    make_observation,
    make_pin,
    make_record,
)
from tests.support.observed_records import parse_observed, records_of
from tests.support.parser import make_parser
from tests.support.shard_stores import contents, open_stores

NOW_MS = START_MS + 40 * DAY_MS
USERS = [bytes([number]) * 16 for number in range(5)]
EVENTS = st.lists(interactions(USERS) | control_events(USERS), max_size=60)


class Shard(Adapt):
    """A step with a shard of its own, and a cache of one user per generation."""

    def __init__(
        self,
        stores: ShardStores,
        token: bytes | None = None,
        *,
        counters: EventCounters | None = None,
        rules: Rules = RULES,
        reclaims: bool = False,
    ) -> None:
        self.counters = counters or EventCounters()
        super().__init__(stores, rules, self.counters, parse_observed, token, reclaims=reclaims, clock=lambda: NOW_MS)

    @property
    def held(self) -> dict[bytes, bytes]:
        """Packed state by user."""
        return contents(self._store) if self._store else {}


@contextmanager
def unkept() -> Iterator[ShardStores]:
    """Provide stores that are deleted afterwards."""
    with ShardStores(None, 1, CATALOGUE, cached_users=2) as stores:
        yield stores


@pytest.fixture
def shard() -> Iterator[Shard]:
    with unkept() as stores:
        yield Shard(stores)


def run(adapt: Adapt, events: Sequence[Observation], *cuts: int) -> list[Write | Reject]:
    """Process events in batches that are cut at these indices, and return all output."""
    out: list[Write | Reject] = []
    for start, end in pairwise(sorted({0, *cuts, len(events)})):
        items, retained = adapt.on_batch([records_of(events[start:end])])
        assert not retained
        out += [item for item in items if not isinstance(item, Examples | RoundEnd | Restored)]
    return out


def shown(out: Sequence[Write | Reject]) -> dict[bytes, dict[str, dict[str, Any]]]:
    """Return the resulting Redis contents by user."""
    users: dict[bytes, Shown] = {}
    for write in out:
        if not isinstance(write, Reject):
            users.setdefault(write.user, Shown()).take([write])
    return {user: hash_.fields for user, hash_ in users.items()}


# Batches


@settings(max_examples=50)
@given(EVENTS, st.lists(st.integers(0, 60), max_size=20))
def test_contents_of_redis_do_not_depend_on_batches(events: list[Observation], cuts: list[int]) -> None:
    """A replay reads large batches, a live run small ones: the final JSON of each field is equal."""
    with unkept() as one, unkept() as other:
        whole, pieces = Shard(one), Shard(other)
        at_once = shown(run(whole, events))
        assert at_once == shown(run(pieces, events, *[min(cut, len(events)) for cut in cuts]))
        assert whole.held == pieces.held


@settings(max_examples=25)
@given(EVENTS.filter(len), st.integers(1, 60))
def test_resumed_shard_continues_like_the_live_one(events: list[Observation], cut: int) -> None:
    """Another execution resumes from the token, with the rest of the events."""
    with TemporaryDirectory() as folder, unkept() as stores:
        steady = Shard(stores)
        run(steady, events[:cut])
        with open_stores(Path(folder)) as before:
            first = Shard(before)
            run(first, events[:cut])
            token = first.snapshot()
            run(first, events[cut:])  # in vain
        with open_stores(Path(folder)) as after:
            resumed = Shard(after, token)
            assert run(resumed, events[cut:]) == run(steady, events[cut:])
            assert resumed.held == steady.held
            assert resumed.counters.users == steady.counters.users


def test_user_is_written_once_in_a_batch(shard: Shard) -> None:
    """One call writes all fields, after the gates."""
    events = [
        make_observation(START_MS, kind=Kind.FORGET),
        *[make_observation(START_MS + n, served={"length": "concise"}, feedback="thumbs_up") for n in range(1, 9)],
        make_pin(START_MS + 10, "tone", "formal"),
    ]
    gate, pin_gate, signals = run(shard, events)
    assert isinstance(pin_gate, GateWrite)
    assert isinstance(gate, GateWrite)
    assert isinstance(signals, SignalWrite)
    assert sorted(name for name, _ in signals.fields) == ["_profile", "length"]


def test_groups_of_one_batch_are_one_batch(shard: Shard) -> None:
    """Several workers send to one shard."""
    first = make_observation(START_MS, served={"tone": "formal"}, feedback="thumbs_up")
    second = make_observation(START_MS + 1, served={"length": "concise"}, feedback="thumbs_up")
    out, _ = shard.on_batch([records_of([first]), Records(), records_of([second])])
    (fields,) = shown([item for item in out if not isinstance(item, Reject | Examples | RoundEnd | Restored)]).values()
    assert fields["tone"]["v"] == f"{START_MS}-0000000001"
    assert fields["length"]["v"] == f"{START_MS + 1}-0000000002"


def test_users_do_not_mix(shard: Shard) -> None:
    """Each write belongs to the user of its event."""
    events = [make_observation(START_MS, user=user, served={"tone": "formal"}, feedback="thumbs_up") for user in USERS]
    assert [write.user for write in run(shard, events) if not isinstance(write, Reject)] == USERS


# Counts


@settings(max_examples=50)
@given(EVENTS)
def test_every_observation_has_one_count(events: list[Observation]) -> None:
    """The outcomes are accepted, duplicate, unconsented, before a wipe and late; stored users are counted, too."""
    with unkept() as stores:
        shard = Shard(stores)
        out = run(shard, events)
        assert shard.counters.total == len(events)
        assert shard.counters.rejects[Reason.LATE] == sum(isinstance(item, Reject) for item in out)
        assert shard.counters.users == len(shard.held)


def test_user_without_accepted_events_is_not_stored() -> None:
    """Without consent, no state is created."""
    with unkept() as stores:
        shard = Shard(stores, rules=Rules(REQUIRED))
        assert run(shard, [make_observation(START_MS + n) for n in range(3)]) == []
        assert shard.counters.outcomes[Outcome.UNCONSENTED] == 3
        assert shard.counters.users == 0
        assert shard.held == {}


# Rejects


def test_empty_shard_stays_open() -> None:
    """The second batch uses the same store as the first."""
    with ShardStores(None, 1, REQUIRED) as stores:
        shard = Shard(stores, rules=Rules(REQUIRED))
        for number in range(2):
            assert run(shard, [make_observation(START_MS + number, event=number)]) == []
        assert shard.counters.outcomes[Outcome.UNCONSENTED] == 2


def test_new_shard_without_observations_is_discarded() -> None:
    """Its records are rejects. Bytewax asks a discarded step for no snapshot, and creates another one later."""
    counters = EventCounters()
    with unkept() as stores:
        shard = Adapt(stores, RULES, counters, make_parser(counters))
        rejected = Records([make_record(make_event(topic="gossip"))])
        (reject,), discards = shard.on_batch([rejected])
        assert isinstance(reject, Reject)
        assert discards
        _, discards = shard.on_batch([Records([make_record(make_event())])])
        assert not discards
        assert shard.on_batch([rejected]) == ([reject], False)
    assert (counters.rejects[Reason.NOT_IN_CATALOGUE], counters.outcomes[Outcome.ACCEPTED]) == (2, 1)


def test_late_event_is_a_reject_like_any_other(shard: Shard) -> None:
    """The reject has the record's position; the state does not change."""
    (late,) = records_of([make_observation(START_MS - DAY_MS - 1)])
    run(shard, [make_observation(START_MS)])
    before = shard.held
    (reject,), _ = shard.on_batch([Records([late._replace(position=7)])])
    hash_ = sha256(late.value).hexdigest()
    assert reject == Reject(Reason.LATE, "more than 24 h older than the user's newest event", ORIGIN, 7, hash_, NOW_MS)
    assert shard.held == before


def test_detail_of_a_late_event_has_the_limit() -> None:
    """The limit is the allowed lateness of the rules."""
    with unkept() as stores:
        shard = Shard(stores, rules=Rules(CATALOGUE, lateness_ms=90 * 60_000))
        out = run(shard, [make_observation(START_MS), make_observation(START_MS - DAY_MS)])
    (reject,) = [item for item in out if isinstance(item, Reject)]
    assert reject.detail == "more than 1.5 h older than the user's newest event"


def test_control_event_is_never_late(shard: Shard) -> None:
    """A control event that is a year old takes effect."""
    old = make_observation(START_MS - 365 * DAY_MS, kind=Kind.DENY)
    _, write = run(shard, [make_observation(START_MS), old], 1)
    assert isinstance(write, GateWrite)
    assert (write.gate.wiped_ms, write.gate.use) == (START_MS, ScopeConsent("denied", START_MS))


def test_wipe_reaches_the_population_between_the_examples() -> None:
    """A forget comes after the earlier examples of the user and before the later ones."""
    events = [
        make_observation(at_ms=START_MS, kind=Kind.GRANT),
        make_observation(at_ms=START_MS + 1, served={"length": "concise"}, feedback="thumbs_up", event=1),
        make_observation(at_ms=START_MS + 2, kind=Kind.FORGET, event=2),
        make_observation(at_ms=START_MS + 3, kind=Kind.GRANT, event=3),
        make_observation(at_ms=START_MS + 4, served={"length": "concise"}, feedback="thumbs_up", event=4),
    ]
    with unkept() as stores:
        shard = Shard(stores, rules=Rules(CATALOGUE, teaches=True))
        shard.observe(events, records_of(events))
        assert [type(message) for message in shard.take_messages()] == [Example, Forget, Example]
        assert shard.take_messages() == []
