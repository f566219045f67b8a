"""Figures of a closed loop: the styles of a simulated history are the choices of an assistant.

Each turn is served by the signals of that moment, so the choices decide which feedback follows.
"""

from collections.abc import Mapping, Sequence
from math import fsum
from random import Random
from typing import NamedTuple

from benchmarks.learning_figures import Figure, LearnedPreference, learned_preferences
from benchmarks.learning_path import Deployment
from state.storage.shard_stores import ShardStores
from tacit.reader.adaptation import Adaptation
from tacit.reader.choice import Choice
from tacit_lab.evaluate.figures import Bucket
from tacit_lab.simulate import ServeRecorder, Simulation, Style, TurnRequest

_BUCKETS = (Bucket("0–5", 0, 5), Bucket("6–20", 6, 20), Bucket("21+", 21, None))
"""Turns by the number of the user's earlier feedbacks."""


class LoopTurn(NamedTuple):
    """A turn of the last half of a history."""

    request: TurnRequest
    chance: float
    """Probability of a like of the served style."""
    feedback: int
    """Number of the user's feedbacks that trained the model before the turn."""


class ClosedLoop(NamedTuple):
    """A history whose styles an assistant chose."""

    turns: Sequence[LoopTurn]
    """The turns of the last half."""
    defaults: Style
    """The learned defaults at the end, with the catalogue's for facets without a learned one."""
    preferences: Sequence[LearnedPreference]
    """The learned values at the end."""


def closed_loop(simulation: Simulation, *, learns_population: bool, with_context: bool) -> ClosedLoop:
    """Process a simulation whose styles an assistant chooses.

    Without context, topic and surface are withheld from `choose`.
    """
    feedback: list[int] = []
    with ShardStores(None, 1, simulation.catalogue) as stores:
        deployment = Deployment(simulation, stores, learns_population=learns_population)

        def serve(request: TurnRequest) -> Choice:
            feedback.append(deployment.feedback[request.user_id])
            return deployment.choose(request, with_context=with_context)

        recorder = ServeRecorder(serve, simulation.truth)
        for arrival in simulation.arrivals(recorder):
            deployment.take(arrival)
    scenario = simulation.scenario
    half_ms = (scenario.start_ms + scenario.end_ms) // 2
    turns = [
        LoopTurn(turn.request, turn.chance, count)
        for turn, count in zip(recorder.turns, feedback, strict=True)
        if turn.request.at_ms >= half_ms
    ]
    return ClosedLoop(turns, deployment.default_style, learned_preferences(deployment, simulation.truth))


def loop_figures(loop: ClosedLoop, simulation: Simulation) -> list[Figure]:
    """Return the mean probability of a like in the last half of the history, with other choices for the same turns."""
    truth, random = simulation.truth, Random(simulation.scenario.seed)
    turns, facets = loop.turns, simulation.catalogue.facets

    def served(name: str, style: Style, target: str = "") -> Figure:
        return _mean(name, [_chance(simulation, turn, style) for turn in turns], target)

    catalogue = served("the catalogue's defaults for all users", catalogue_style(simulation))
    learned = served("the learned defaults for all users", loop.defaults)
    above = None if learned.value is None or catalogue.value is None else learned.value - catalogue.value
    drawn = [{name: random.choice(facet.values) for name, facet in facets.items()} for _ in turns]
    best = [truth.best_at(turn.request.user_id, turn.request.at_ms, turn.request.topic) for turn in turns]
    return [
        _mean("random styles", _chances(simulation, turns, drawn)),
        catalogue,
        learned,
        Figure("  above the catalogue's defaults", "probability", above, len(turns), "≥ -0.005"),
        served("the best single style for all users", truth.population_default),
        _mean("as the assistant chooses", [turn.chance for turn in turns], "≥ 0.71"),
        *(
            _mean(f"  after {bucket.name} feedbacks", [turn.chance for turn in turns if bucket.holds(turn.feedback)])
            for bucket in _BUCKETS
        ),
        _mean("the oracle", _chances(simulation, turns, best)),
    ]


def catalogue_style(simulation: Simulation) -> Style:
    """Return the style that the catalogue's defaults give."""
    return Adaptation("absent", {}, None, {}, simulation.catalogue).choose("", explore=False).values


def _chances(simulation: Simulation, turns: Sequence[LoopTurn], styles: Sequence[Mapping[str, str]]) -> list[float]:
    return [_chance(simulation, turn, style) for turn, style in zip(turns, styles, strict=True)]


def _chance(simulation: Simulation, turn: LoopTurn, style: Style) -> float:
    request = turn.request
    return simulation.truth.chance_at(request.user_id, request.at_ms, request.topic, style)


def _mean(name: str, chances: Sequence[float], target: str = "") -> Figure:
    return Figure(name, "probability", fsum(chances) / len(chances) if chances else None, len(chances), target)
