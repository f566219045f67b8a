"""Events of the simulation."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.records import FileOrigin, Reason, Record, Reject
from tacit.contract.events import Event
from tacit.errors import ConfigurationError
from tacit_lab.simulate import Arrival, Kind, Scenario, simulate
from tacit_lab.simulate.scenario import DAY_MS, HOUR_MS
from tacit_lab.simulate.simulation import MAX_DELAY_MS, MAX_REPEAT_MS

END_MS = 1_795_297_433_438
SCENARIO = Scenario(end_ms=END_MS, users=100, turns=4000)
MADE = set(Reason) - {Reason.FUTURE, Reason.UNREADABLE}
"""Reasons of the simulated rejects; no line of a file is from the future, or in another format than JSON."""

ODD_CATALOGUE = """
schema = 1
[consent]
default = "granted"
[facets.genre]
title = "Genre"
multiple = true
values = ["action", "comedy", "drama", "western"]
[facets.pace]
title = "Pace"
ordered = true
values = ["slow", "fast"]
[feedback.faster]
moves = { pace = "up" }
"""
"""A catalogue without every optional part: topics, surfaces, defaults and likes."""

EVEN_CATALOGUE = """
schema = 1
[consent]
default = "required"
[facets.length]
title = "Length"
ordered = true
values = ["short", "middle", "long"]
default = "middle"
[facets.tone]
title = "Tone"
values = ["dry", "warm"]
[topics]
values = ["work", "home"]
[surfaces]
values = ["chat", "voice"]
[feedback.up]
label = true
weight = 1.0
[feedback.down]
label = false
weight = 0.5
[feedback.shorter]
moves = { length = "down" }
"""
"""A catalogue with every part that `ODD_CATALOGUE` lacks."""


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    return list(simulate(SCENARIO).arrivals())


def valid(arrivals: list[Arrival]) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Yield the valid events without their duplicates."""
    for arrival in arrivals:
        if isinstance(arrival.made_as, Kind) and arrival.made_as is not Kind.DUPLICATE:
            yield arrival.made_as, json.loads(arrival.line)


def with_share(share: float, *reasons: Reason, **others: float) -> Scenario:
    """Return the scenario with a share of broken records for each reason."""
    changes: dict[str, Any] = {**dict.fromkeys(reasons, share), **others}
    return replace(SCENARIO, **changes)


def kinds(scenario: Scenario) -> Counter[Kind | Reason]:
    return Counter(arrival.made_as for arrival in simulate(scenario).arrivals())


def parse(arrival: Arrival, catalogue: NumberedCatalogue) -> Reason | None:
    """Return the reason of the parser for a reject, or None for an accepted record."""
    parser = Parser(catalogue=catalogue, region="eu", secret=b"0" * 16, shards=1, counters=EventCounters())
    parsed = parser.parse(Record(FileOrigin("a.jsonl"), 1, arrival.line))
    return parsed.reason if isinstance(parsed, Reject) else None


def test_count_of_turns_is_exact(arrivals: list[Arrival]) -> None:
    """Control events, second events, duplicates and broken records are additional."""
    assert sum(arrival.made_as is Kind.TURN for arrival in arrivals) == SCENARIO.turns


def test_each_user_has_a_turn_if_there_are_enough(arrivals: list[Arrival]) -> None:
    """Activity differs between users by far, and no user is missing."""
    turns = Counter(event["user_id"] for kind, event in valid(arrivals) if kind is Kind.TURN)
    assert len(turns) == SCENARIO.users
    assert max(turns.values()) > 3 * median(turns.values())


@given(users=st.integers(1, 30), turns=st.integers(1, 60), seed=st.integers(0, 2**64))
@settings(max_examples=25, deadline=None)
def test_any_numbers_give_the_exact_count_of_turns(users: int, turns: int, seed: int) -> None:
    """The count is exact for each seed, and every valid event satisfies the contract."""
    scenario = Scenario(end_ms=END_MS, users=users, turns=turns, seed=seed, days=5)
    made = list(valid(list(simulate(scenario).arrivals())))
    assert sum(kind is Kind.TURN for kind, _ in made) == turns
    for _, event in made:
        msgspec.convert(event, Event)
        assert scenario.start_ms <= event["at"] <= scenario.end_ms


def test_valid_events_satisfy_contract_and_catalogue(arrivals: list[Arrival]) -> None:
    """The parser accepts every valid event."""
    catalogue = NumberedCatalogue.load()
    assert {parse(a, catalogue) for a in arrivals if isinstance(a.made_as, Kind)} == {None}


def test_valid_events_fit_any_catalogue() -> None:
    """Events fit a catalogue without topics, surfaces, defaults and likes."""
    catalogue = NumberedCatalogue.parse(ODD_CATALOGUE)
    made = list(simulate(replace(SCENARIO, turns=500), catalogue).arrivals())
    assert {parse(a, catalogue) for a in made if isinstance(a.made_as, Kind)} == {None}
    events = [event for kind, event in valid(made) if kind is Kind.TURN]
    assert {len(event["served"]["genre"]) for event in events} == {1, 2, 3}
    assert {event["feedback"]["kind"] for event in events if "feedback" in event} == {"faster"}


@pytest.mark.parametrize("reason", sorted(MADE - {Reason.LATE}))
def test_broken_records_are_rejected_for_their_reason(reason: Reason) -> None:
    """The parser finds the fault of a record, and no other fault before it."""
    catalogue = NumberedCatalogue.load()
    arrivals = simulate(with_share(0.2, reason, turns=400)).arrivals()
    made = [parse(arrival, catalogue) for arrival in arrivals if arrival.made_as is reason]
    assert 50 <= len(made) <= 110
    assert set(made) == {reason}


def test_late_records_have_no_other_fault() -> None:
    """A late record is over a day behind an earlier arrival of the same user, and after the consent."""
    newest: dict[str, int] = defaultdict(int)
    consented: dict[str, int] = {}
    late = 0
    for arrival in simulate(replace(SCENARIO, late=0.1)).arrivals():
        if arrival.made_as in Kind:
            event = json.loads(arrival.line)
            newest[event["user_id"]] = max(newest[event["user_id"]], event["at"])
            if arrival.made_as is Kind.CONSENT:
                consented[event["user_id"]] = event["at"]
        if arrival.made_as is Reason.LATE:
            event = json.loads(arrival.line)
            assert consented[event["user_id"]] < event["at"] < newest[event["user_id"]] - DAY_MS
            late += 1
    assert late > 200


def test_same_scenario_gives_the_same_bytes() -> None:
    """Order and content depend on the parameters only, in a second read, too."""
    scenario = replace(SCENARIO, turns=800)
    simulation = simulate(scenario)
    first = list(simulation.events)
    assert first == list(simulation.events) == list(simulate(scenario).events)


def test_bytes_of_a_scenario_do_not_change() -> None:
    """Each later version gives the same history, so published measurements stay comparable."""
    made = hashlib.sha256()
    for catalogue in (NumberedCatalogue.parse(ODD_CATALOGUE), NumberedCatalogue.parse(EVEN_CATALOGUE)):
        scenario = replace(SCENARIO, turns=1000, seed=3, out_of_order=0.3, duplicates=0.2, narrowed=0.5)
        for line in simulate(scenario, catalogue).events:
            made.update(line + b"\n")
    assert made.hexdigest() == "73c5e519c7b183b2304984e3539e16615a26d90fc74ce11a132262be4475153d"


def test_another_seed_gives_another_history() -> None:
    """Two histories share no event id, so one run can read both."""
    first, second = (simulate(replace(SCENARIO, turns=800, seed=seed)).events for seed in (1, 2))
    assert not set(first) & set(second)


def test_faults_do_not_change_valid_events() -> None:
    """Valid events are the same with and without delays, duplicates and broken records."""
    clean = with_share(0.0, *MADE, duplicates=0, out_of_order=0)
    histories = [
        {json.dumps(event) for _, event in valid(list(simulate(scenario).arrivals()))} for scenario in (SCENARIO, clean)
    ]
    assert histories[0] == histories[1]


def test_records_are_in_order_of_arrival_with_bounded_disorder(arrivals: list[Arrival]) -> None:
    """A valid event arrives after its event time, and at most the longest delay behind a newer one."""
    assert arrivals == sorted(arrivals)
    newest = 0
    disorder = []
    for arrival in arrivals:
        if isinstance(arrival.made_as, Kind):
            at = json.loads(arrival.line)["at"]
            assert 0 <= arrival.at_ms - at <= MAX_DELAY_MS + MAX_REPEAT_MS
            newest = max(newest, at)
            disorder.append(newest - at)
    assert HOUR_MS < max(disorder) <= MAX_DELAY_MS + MAX_REPEAT_MS


def test_duplicates_repeat_a_record_byte_for_byte(arrivals: list[Arrival]) -> None:
    """A duplicate arrives after its original."""
    seen: set[bytes] = set()
    for arrival in arrivals:
        if arrival.made_as is Kind.DUPLICATE:
            assert arrival.line in seen
        seen.add(arrival.line)


@pytest.mark.parametrize("reason", sorted(MADE - {Reason.LATE}))
def test_share_of_broken_records_is_as_requested(reason: Reason) -> None:
    """The share is relative to the count of turns."""
    counts = kinds(with_share(0.1, reason))
    assert counts[reason] == pytest.approx(0.1 * SCENARIO.turns, rel=0.2)


def test_shares_of_events_are_as_requested() -> None:
    """Second events and duplicates are near their shares."""
    scenario = replace(SCENARIO, feedback=0.5, later_feedback=0.4, duplicates=0.1)
    counts = kinds(scenario)
    assert counts[Kind.FEEDBACK] == pytest.approx(scenario.turns * 0.5 * 0.4, rel=0.15)
    total = sum(counts[kind] for kind in Kind if kind is not Kind.DUPLICATE)
    assert counts[Kind.DUPLICATE] == pytest.approx(0.1 * total, rel=0.2)


def test_shares_of_users_are_as_requested() -> None:
    """Changes of taste, consents, opt-outs, pins and forgets are near their shares."""
    users = simulate(Scenario(end_ms=END_MS, users=3000, turns=3000)).truth.users.values()
    shares = {
        "abrupt": sum(user.change == "abrupt" for user in users),
        "gradual": sum(user.change == "gradual" for user in users),
        "never": sum(not user.consents for user in users),
        "out": sum(len(user.consents) > 1 for user in users),
        "pins": sum(bool(user.pins) for user in users),
        "forgets": sum(user.forgets_at is not None for user in users),
    }
    assert {name: count / 3000 for name, count in shares.items()} == pytest.approx(
        {"abrupt": 0.3, "gradual": 0.3, "never": 0.08, "out": 0.04 * 0.92, "pins": 0.06, "forgets": 0.01}, rel=0.35
    )


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_of_zero_or_one_is_exact(share: float) -> None:
    """0 switches an event off, and 1 gives every user or turn the event."""
    scenario = replace(SCENARIO, turns=500, never_consents=share, duplicates=share, feedback=share, later_feedback=1)
    counts = kinds(scenario)
    assert (counts[Kind.CONSENT] == 0) == bool(share)
    assert counts[Kind.FEEDBACK] == share * 500
    assert counts[Kind.DUPLICATE] == share * sum(counts[kind] for kind in Kind if kind is not Kind.DUPLICATE)


def test_consent_comes_before_the_first_turn(arrivals: list[Arrival]) -> None:
    """The first consent of a user arrives before every turn of the user."""
    joined: set[str] = set()
    met: set[str] = set()
    for kind, event in valid(arrivals):
        if kind is Kind.CONSENT and event["granted"] and event["user_id"] not in joined:
            assert event["user_id"] not in met
            joined.add(event["user_id"])
        if kind is Kind.TURN:
            met.add(event["user_id"])
    assert len(joined) > 80


def test_later_feedback_belongs_to_its_turn(arrivals: list[Arrival]) -> None:
    """A second event repeats its turn with another event id, minutes later."""
    turns = {event["turn_id"]: event for kind, event in valid(arrivals) if kind is Kind.TURN}
    for kind, event in valid(arrivals):
        if kind is Kind.FEEDBACK:
            turn = turns[event["turn_id"]]
            assert 10_000 <= event["at"] - turn["at"] <= 5 * 60_000
            assert event == turn | {key: event[key] for key in ("event_id", "at", "feedback")}
            assert event["event_id"] != turn["event_id"]


def test_pinned_facets_are_served_as_pinned() -> None:
    """A random style keeps the pinned value."""
    scenario = replace(SCENARIO, pins=1, unpins=0, forgets=0)
    simulation = simulate(scenario)
    pinned = 0
    for kind, event in valid(list(simulation.arrivals())):
        user = simulation.truth.users[event["user_id"]]
        # A visit keeps the pins of its start.
        if kind is Kind.TURN and event["at"] > user.pins[0].at + 2 * HOUR_MS:
            assert event["served"][user.pins[0].facet] == user.pins[0].value
            pinned += 1
    assert pinned > 500


def test_first_events_need_no_later_ones() -> None:
    """A long history is generated on demand."""
    simulation = simulate(Scenario(end_ms=END_MS, users=10, turns=200_000))
    assert len(list(islice(simulation.events, 5))) == 5


def test_impossible_scenario_names_every_problem() -> None:
    """The error has a sentence for each parameter, with the allowed range."""
    with pytest.raises(ConfigurationError) as error:
        Scenario(end_ms=END_MS, users=0, feedback=1.5, abrupt=0.6, gradual=0.6)
    assert error.value.problems == (
        "users: 0; must be at least 1",
        "feedback: 1.5; must be a share from 0 to 1",
        "abrupt and gradual: 0.6 and 0.6; must be at most 1 together",
    )
