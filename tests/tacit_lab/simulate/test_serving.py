"""tacit/simulate: closed loops."""

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
NOBODY = Adaptation("absent", {}, None, {}, CATALOGUE)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SCENARIO)


def serve_default(asked: Asked) -> Choice:
    return NOBODY.choose(asked.unit)


def serve_best(simulation: Simulation) -> Serve:
    """Serve what the user likes best, then and there."""
    return lambda asked: Choice(simulation.truth.best_at(asked.user_id, asked.at_ms, asked.topic), (), CATALOGUE)


def turns(arrivals: list[Arrival]) -> dict[str, dict[str, Any]]:
    """Return the turns as they were emitted first, by id."""
    events = (json.loads(arrival.line) for arrival in arrivals if arrival.made_as is Kind.TURN)
    return {event["turn_id"]: event for event in events}


def likes(arrivals: list[Arrival]) -> float:
    kinds = [json.loads(a.line).get("feedback") for a in arrivals if a.made_as in (Kind.TURN, Kind.FEEDBACK)]
    return fmean(CATALOGUE.feedback[feedback["kind"]].label is True for feedback in kinds if feedback)


def test_serve_is_asked_with_all_that_arrived_before_and_nothing_later(simulation: Simulation) -> None:
    """Whoever takes records one by one knows at each turn exactly those that arrived earlier."""
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


def test_turn_is_served_as_chosen_and_says_what_it_followed(simulation: Simulation) -> None:
    """Values and `acted_on` of a choice are in the turn's event, which satisfies the contract, and in its feedback."""
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


def test_people_like_what_they_like_best(simulation: Simulation) -> None:
    """Serving the truth's best is liked as often as the truth states, and far more often than styles drawn at random."""
    watch = Watch(serve_best(simulation), simulation.truth)
    share = likes(list(simulation.arrivals(watch)))
    assert share == pytest.approx(fmean(turn.chance for turn in watch.turns), abs=0.03)
    assert share > likes(list(simulation.arrivals())) + 0.25


def test_watch_notes_the_chance_of_each_turn_in_order(simulation: Simulation) -> None:
    """It serves what it was given to serve, and how good that was can be reported from the truth."""
    watch = Watch(serve_default, simulation.truth)
    assert list(simulation.arrivals(watch)) == list(simulation.arrivals(serve_default))
    assert [turn.asked.at_ms for turn in watch.turns] == sorted(turn.asked.at_ms for turn in watch.turns)
    for asked, chance in watch.turns:
        served = serve_default(asked).values
        assert chance == simulation.truth.chance_at(asked.user_id, asked.at_ms, asked.topic, served)


def test_style_does_not_change_when_people_come(simulation: Simulation) -> None:
    """However they are served, users make the same visits with as many turns."""
    opened, closed = (turns(list(simulation.arrivals(serve))) for serve in (None, serve_best(simulation)))
    assert opened.keys() == closed.keys()
    firsts = [turn_id for turn_id in opened if turn_id.endswith("-0")]
    assert [opened[turn_id]["at"] for turn_id in firsts] == [closed[turn_id]["at"] for turn_id in firsts]


@pytest.mark.parametrize("values", [{}, {"tone": "formal"}])
def test_facet_that_is_not_served_is_in_no_event(values: dict[str, str]) -> None:
    """A turn may have some facets or none; its feedback names no other."""
    simulation = simulate(replace(SCENARIO, turns=800, directed=0.5, narrowed=1))
    arrivals = list(simulation.arrivals(lambda _: Choice(values, (), CATALOGUE)))
    for event in turns(arrivals).values():
        assert event["served"] == values
        assert "acted_on" not in event
        feedback = event.get("feedback", {"kind": "thumbs_up"})
        assert set(feedback.get("facets", [])) <= set(values)
        assert set(CATALOGUE.feedback[feedback["kind"]].moves) <= set(values)
