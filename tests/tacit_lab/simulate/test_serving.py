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
from tacit.reader.adaptation import Adaptation
from tacit.reader.choice import Choice
from tacit_lab.simulate import Arrival, Kind, Scenario, Serve, ServeRecorder, Simulation, TurnRequest, simulate

END_MS = 1_795_297_433_438
SCENARIO = Scenario(end_ms=END_MS, users=60, turns=3000, out_of_order=0.3, later_feedback=0.5, days=20)
CATALOGUE = NumberedCatalogue.load()
NO_SIGNALS = Adaptation("absent", {}, None, {}, CATALOGUE)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SCENARIO)


def serve_default(request: TurnRequest) -> Choice:
    return NO_SIGNALS.choose(request.unit)


def serve_best(simulation: Simulation) -> Serve:
    """Return a function that serves the best style for the time and the topic."""
    return lambda request: Choice(
        simulation.truth.best_at(request.user_id, request.at_ms, request.topic), (), CATALOGUE
    )


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

    def serve(request: TurnRequest) -> Choice:
        known.append((request.at_ms, len(taken)))
        return serve_default(request)

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
    requests: dict[str, list[TurnRequest]] = defaultdict(list)

    def serve(request: TurnRequest) -> Choice:
        requests[request.unit].append(request)
        return serve_default(request)

    arrivals = list(simulation.arrivals(serve))
    found = turns(arrivals)
    assert len(found) == sum(map(len, requests.values())) == SCENARIO.turns
    for unit, several in requests.items():
        for index, request in enumerate(several):
            event = found[f"{unit}-{index:x}"]
            msgspec.convert(event, Event)
            assert (event["user_id"], event["at"], event["topic"]) == (request.user_id, request.at_ms, request.topic)
            assert event["served"] == serve_default(request).values
            assert event["acted_on"] == list(serve_default(request).acted_on)
    for arrival in arrivals:
        if arrival.made_as is Kind.FEEDBACK:
            event = json.loads(arrival.line)
            assert event["acted_on"] == found[event["turn_id"]]["acted_on"]


def test_best_style_is_liked_most(simulation: Simulation) -> None:
    """The share of likes of the best style is the true chance, and far above the share of random styles."""
    recorder = ServeRecorder(serve_best(simulation), simulation.truth)
    share = likes(list(simulation.arrivals(recorder)))
    assert share == pytest.approx(fmean(turn.chance for turn in recorder.turns), abs=0.03)
    assert share > likes(list(simulation.arrivals())) + 0.25


def test_recorder_has_the_chance_of_each_turn_in_order(simulation: Simulation) -> None:
    """The recorder serves the same styles, and the chances are those of the truth."""
    recorder = ServeRecorder(serve_default, simulation.truth)
    assert list(simulation.arrivals(recorder)) == list(simulation.arrivals(serve_default))
    assert [turn.request.at_ms for turn in recorder.turns] == sorted(turn.request.at_ms for turn in recorder.turns)
    for request, chance in recorder.turns:
        served = serve_default(request).values
        assert chance == simulation.truth.chance_at(request.user_id, request.at_ms, request.topic, served)


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
