"""Quality of learning on simulated users whose true preferences are known, with a target for each figure.

    python -m benchmarks.learning [--users N] [--turns N] [--seeds N,N] [--topical SHARE] [--population learn|none]
                                  [--no-context] [--json] [--plot DIR]

Each seed simulates other users. Tacit's own code processes each history twice: once with random styles, and once in a
closed loop with the styles that the assistant chooses from its signals. Only the last groups are about the closed loop.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.learning_figures import (
    Figure,
    LearnedPreference,
    by_confidence,
    confidence_figures,
    learned_preferences,
    prediction_figures,
    preference_figures,
)
from benchmarks.learning_loop import closed_loop, loop_figures
from benchmarks.learning_path import Deployment
from benchmarks.learning_plot import plot_confidence
from benchmarks.machine import machine
from state.storage.shard_stores import ShardStores
from tacit_lab.simulate import Scenario, Simulation, simulate

Groups = dict[str, list[Figure]]
"""Title → figures."""

_PREDICTIONS = "Predictions for the last 70% of the feedback"
_PREFERENCES = "Learned values at the end of the history"
_CONFIDENCE = "Confidence in learned values at the end of the history"
_LOOP = "Closed loop: mean probability of a like in the last half of the history"
_LOOP_CONFIDENCE = "Confidence in learned values at the end of the closed loop"

_END_MS = 1_795_297_433_438
"""End of all histories (epoch ms): the same seeds give the same figures on any day."""
_WIDTH = 130
"""Characters per line when the output is not a terminal."""


@dataclass(frozen=True, slots=True)
class HistoryFigures:
    """All figures of one seed's history."""

    seed: int
    groups: Groups
    preferences: list[LearnedPreference]
    """Learned values after random styles."""
    loop_preferences: list[LearnedPreference]
    """Learned values after the closed loop."""


def main() -> None:
    """Measure, and print the tables or the JSON."""
    options = _options()
    scenarios = [
        Scenario(end_ms=_END_MS, users=options.users, turns=options.turns, seed=seed, topical=options.topical)
        for seed in options.seeds
    ]
    messages = Console(stderr=True, highlight=False)
    progress = track(scenarios, "Learning", console=messages, transient=True)
    measured = [
        measure(
            simulate(scenario), learns_population=options.population == "learn", with_context=not options.no_context
        )
        for scenario in progress
    ]
    if options.json:
        histories = [_as_json(history) for history in measured]
        print(json.dumps({"machine": machine(), "options": vars(options), "histories": histories}))
    else:
        _print(measured)
    if options.plot:
        preferences = [preference for history in measured for preference in history.preferences]
        messages.print(plot_confidence(preferences, Path(options.plot)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=2500)
    parser.add_argument("--turns", type=int, default=77_000)
    parser.add_argument(
        "--seeds", type=_seeds, default=[101, 102, 103], help="seeds of the histories, separated by commas"
    )
    parser.add_argument(
        "--topical", type=float, default=0.0, metavar="SHARE", help="share of users whose taste differs by topic"
    )
    parser.add_argument("--population", choices=("learn", "none"), default="learn")
    parser.add_argument(
        "--no-context", action="store_true", help="withhold topic and surface from the choices of the closed loop"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", metavar="DIR", help="folder for a plot of the calibration of confidence")
    return parser.parse_args()


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def measure(simulation: Simulation, *, learns_population: bool = True, with_context: bool = True) -> HistoryFigures:
    """Process a simulation twice, and return all figures."""
    truth = simulation.truth
    with ShardStores(None, 1, simulation.catalogue) as stores:
        deployment = Deployment(simulation, stores, learns_population=learns_population)
        for arrival in simulation.arrivals():
            deployment.take(arrival)
    preferences = learned_preferences(deployment, truth)
    loop = closed_loop(simulation, learns_population=learns_population, with_context=with_context)
    loop_preferences = list(loop.preferences)
    groups = {
        _PREDICTIONS: prediction_figures(deployment, truth),
        _PREFERENCES: preference_figures(preferences),
        _CONFIDENCE: confidence_figures(preferences),
        _LOOP: loop_figures(loop, simulation),
        _LOOP_CONFIDENCE: confidence_figures(loop_preferences),
    }
    return HistoryFigures(simulation.scenario.seed, groups, preferences, loop_preferences)


def _as_json(history: HistoryFigures) -> dict[str, object]:
    groups = {title: [figure._asdict() for figure in figures] for title, figures in history.groups.items()}
    bins, loop_bins = (
        [bin_._asdict() for bin_ in by_confidence(preferences)]
        for preferences in (history.preferences, history.loop_preferences)
    )
    return {"seed": history.seed, "groups": groups, "confidence": bins, "loop_confidence": loop_bins}


def _print(measured: list[HistoryFigures]) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    console.print(machine())
    for title in measured[0].groups:
        console.print("", _table(title, measured))
        if title == _CONFIDENCE:
            console.print("", _calibration([one for history in measured for one in history.preferences]))
        if title == _LOOP_CONFIDENCE:
            console.print("", _calibration([one for history in measured for one in history.loop_preferences]))


def _table(title: str, measured: list[HistoryFigures]) -> Table:
    """Return a group's table: a row per figure, a column per seed, then the mean and the target."""
    table = _empty_table(title)
    table.add_column("", min_width=43)
    table.add_column("unit", min_width=10)
    for heading in ("n", *(f"seed {history.seed}" for history in measured), "mean", "target"):
        table.add_column(heading, justify="right", min_width=8)
    table.add_column("")
    for row in zip(*(history.groups[title] for history in measured), strict=True):
        first, values = row[0], [figure.value for figure in row if figure.value is not None]
        mean = fmean(values) if values else None
        missed = mean is not None and first.target and not first.meets(mean)
        table.add_row(
            first.name, first.unit, f"{sum(figure.n for figure in row):,}", *(_text(figure.value) for figure in row),
            _text(mean), first.target, "missed" if missed else "", style="red" if missed else "",
        )  # fmt: skip
    return table


def _calibration(preferences: list[LearnedPreference]) -> Table:
    table = _empty_table("Calibration of confidence, all seeds")
    table.add_column("confidence", min_width=43)
    for heading in ("preferences", "mean confidence", "beats the runner-up", "best of all"):
        table.add_column(heading, justify="right", min_width=8)
    for bin_ in by_confidence(preferences):
        figures = (_text(figure) for figure in (bin_.confidence, bin_.beats, bin_.right))
        table.add_row(f"{bin_.low:.2f}–{bin_.high:.2f}", f"{bin_.n:,}", *figures)
    return table


def _empty_table(title: str) -> Table:
    return Table(
        box=None, padding=(0, 2, 0, 0), header_style="dim", title=title, title_justify="left", title_style="bold"
    )


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"


if __name__ == "__main__":
    main()
