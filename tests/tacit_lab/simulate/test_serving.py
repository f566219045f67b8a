"""Closed loops of the simulation."""

import json
from collections import defaultdict
from dataclasses import replace
from statistics import fmean
from typing import Any

import msgspec
import pytest

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.events import Event
from tacit.reader.adaptation import Adaptation, Choice
from tacit_lab.simulate import Arrival, Asked, Kind, Scenario, Serve, Simulation, Watch, simulate

END_MS = 1_795_297_433_438
SCENARIO = Scenario(end_ms=END_MS, users=60, turns=3000, out_of_order=0.3, later_feedback=0.5, days=20)
CATALOGUE = NumberedCatalogue.load()
NO_SIGNALS = Adaptation("absent", {}, None, {}, CATALOGUE)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SCENARIO)


def serve_default(asked: Asked) -> Choice:
    return NO_SIGNALS.choose(asked.unit)


def serve_best(simulation: Simulation) -> Serve:
    """Return a function that serves the best style for the time and the topic."""
    return lambda asked: Choice(simulation.truth.best_at(asked.user_id, asked.at_ms, asked.topic), (), CATALOGUE)


def turns(arrivals: list[Arrival]) -> dict[str, dict[str, Any]]:
    """Return the first event of each turn, by turn id."""
    events = (json.loads(arrival.line) for arrival in arrivals if arrival.made_as is Kind.TURN)
    return {event["turn_id"]: event for event in events}


def likes(arrivals: list[Arrival]) -> float:
    kinds = [json.loads(a.line).get("feedback") for a in arrivals if a.made_as in (Kind.TURN, Kind.FEEDBACK)]
    return fmean(CATALOGUE.feedback[feedback["kind"]].label is True for feedback in kinds if feedback)


def test_serve_is_called_after_every_earlier_record(simulation: Simulation) -> None:
    """At each turn the caller has taken exactly the records that arrived earlier."""
    taken: list[Arrival] = []
    known: list[tuple[int, int]] = []

    def serve(asked: Asked) -> Choice:
        known.append((asked.at_ms, len(taken)))
        return serve_default(asked)

    for arrival in simulation.arrivals(serve):
        assert not taken or taken[-1] < arrival
        taken.append(arrival)
    assert len(known) == SCENARIO.turns
    assert known == sorted(known)
    arrived = [arrival.at_ms for arrival in taken]
    for at_ms, count in known:
        assert arrived[count - 1] < at_ms <= arrived[count] if count else at_ms <= arrived[0]


def test_turn_has_the_chosen_style_and_its_signals(simulation: Simulation) -> None:
    """Values and `acted_on` of the choice are in the event of the turn and in its feedback; the event is valid."""
    asked_of: dict[str, list[Asked]] = defaultdict(list)

    def serve(asked: Asked) -> Choice:
        asked_of[asked.unit].append(asked)
        return serve_default(asked)

    arrivals = list(simulation.arrivals(serve))
    found = turns(arrivals)
    assert len(found) == sum(map(len, asked_of.values())) == SCENARIO.turns
    for unit, several in asked_of.items():
        for index, asked in enumerate(several):
            event = found[f"{unit}-{index:x}"]
            msgspec.convert(event, Event)
            assert (event["user_id"], event["at"], event["topic"]) == (asked.user_id, asked.at_ms, asked.topic)
            assert event["served"] == serve_default(asked).values
            assert event["acted_on"] == list(serve_default(asked).acted_on)
    for arrival in arrivals:
        if arrival.made_as is Kind.FEEDBACK:
            event = json.loads(arrival.line)
            assert event["acted_on"] == found[event["turn_id"]]["acted_on"]


def test_best_style_is_liked_most(simulation: Simulation) -> None:
    """The share of likes of the best style is the true chance, and far above the share of random styles."""
    watch = Watch(serve_best(simulation), simulation.truth)
    share = likes(list(simulation.arrivals(watch)))
    assert share == pytest.approx(fmean(turn.chance for turn in watch.turns), abs=0.03)
    assert share > likes(list(simulation.arrivals())) + 0.25


def test_watch_records_the_chance_of_each_turn_in_order(simulation: Simulation) -> None:
    """A watch serves the same styles, and the chances are those of the truth."""
    watch = Watch(serve_default, simulation.truth)
    assert list(simulation.arrivals(watch)) == list(simulation.arrivals(serve_default))
    assert [turn.asked.at_ms for turn in watch.turns] == sorted(turn.asked.at_ms for turn in watch.turns)
    for asked, chance in watch.turns:
        served = serve_default(asked).values
        assert chance == simulation.truth.chance_at(asked.user_id, asked.at_ms, asked.topic, served)


def test_style_does_not_change_visits(simulation: Simulation) -> None:
    """Visits and their turns are the same with and without a closed loop."""
    opened, closed = (turns(list(simulation.arrivals(serve))) for serve in (None, serve_best(simulation)))
    assert opened.keys() == closed.keys()
    firsts = [turn_id for turn_id in opened if turn_id.endswith("-0")]
    assert [opened[turn_id]["at"] for turn_id in firsts] == [closed[turn_id]["at"] for turn_id in firsts]


@pytest.mark.parametrize("values", [{}, {"tone": "formal"}])
def test_absent_facet_is_in_no_event(values: dict[str, str]) -> None:
    """Feedback names only facets that the turn has."""
    simulation = simulate(replace(SCENARIO, turns=800, directed=0.5, narrowed=1))
    arrivals = list(simulation.arrivals(lambda _: Choice(values, (), CATALOGUE)))
    for event in turns(arrivals).values():
        assert event["served"] == values
        assert "acted_on" not in event
        feedback = event.get("feedback", {"kind": "thumbs_up"})
        assert set(feedback.get("facets", [])) <= set(values)
        assert set(CATALOGUE.feedback[feedback["kind"]].moves) <= set(values)
