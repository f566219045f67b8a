"""How well users are learned, measured against the truth of simulated ones, next to the bar it must clear.

    python -m benchmarks.learning [--users N] [--turns N] [--seeds N,N] [--population learn|none] [--json] [--plot DIR]

Each seed is a world of its own. Its history goes through the product's own code twice: once served in styles drawn at
random, from which all groups but the last are, and once served as Copilot chooses by what it reads at that moment.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path as FilePath
from statistics import fmean

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.learning_drift import drift_figures
from benchmarks.learning_figures import (
    Figure,
    Found,
    by_confidence,
    confidence_figures,
    loop_figures,
    prediction_figures,
    preference_figures,
    preferences,
)
from benchmarks.learning_path import Path
from benchmarks.learning_plot import plot_confidence
from benchmarks.machine import machine
from state.storage.shard_stores import ShardStores
from tacit_lab.simulate import Scenario, Simulation, Watch, simulate

Groups = dict[str, list[Figure]]
"""By title."""

_PREDICTIONS = "Predictions, the last 70% of pieces of feedback"
_PREFERENCES = "Preferred values at the end of the history"
_CONFIDENCE = "Confidence in preferred values at the end of the history"
_DRIFT = "Changes of taste"
_LOOP = "Closed loop: mean chance of a like in the last half of the history"


_END_MS = 1_795_297_433_438
"""Of all histories, so that the same seeds give the same figures on any day."""
_WIDTH = 130
"""Of what is no terminal, in characters."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One seed's history."""

    seed: int
    groups: Groups
    preferences: list[Found]


def main() -> None:
    """Measure and print."""
    options = _options()
    scenarios = [
        Scenario(end_ms=_END_MS, users=options.users, turns=options.turns, seed=seed) for seed in options.seeds
    ]
    messages = Console(stderr=True, highlight=False)
    progress = track(scenarios, "Learning", console=messages, transient=True)
    measured = [measure(simulate(scenario), learns_population=options.population == "learn") for scenario in progress]
    if options.json:
        histories = [_as_json(history) for history in measured]
        print(json.dumps({"machine": machine(), "options": vars(options), "histories": histories}))
    else:
        _print(measured)
    if options.plot:
        messages.print(plot_confidence([one for m in measured for one in m.preferences], FilePath(options.plot)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=2500)
    parser.add_argument("--turns", type=int, default=77_000)
    parser.add_argument("--seeds", type=_seeds, default=[101, 102, 103], help="worlds to measure in, with commas")
    parser.add_argument("--population", choices=("learn", "none"), default="learn")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", metavar="DIR", help="draw the calibration of confidence into this folder")
    return parser.parse_args()


def _seeds(text: str) -> list[int]:
    return [int(seed) for seed in text.split(",")]


def measure(simulation: Simulation, *, learns_population: bool = True) -> Measured:
    """Play a simulation twice, and return all figures."""
    truth = simulation.truth
    with ShardStores(None, 1, simulation.catalogue) as stores:
        path = Path(simulation, stores, learns_population=learns_population)
        for arrival in simulation.arrivals():
            path.take(arrival)
    found = preferences(path, truth)
    groups = {
        _PREDICTIONS: prediction_figures(path, truth),
        _PREFERENCES: preference_figures(found),
        _CONFIDENCE: confidence_figures(found),
        _DRIFT: drift_figures(path.judged, path.said, truth),
        _LOOP: loop_figures(_closed_loop(simulation, learns_population).turns, simulation),
    }
    return Measured(simulation.scenario.seed, groups, found)


def _closed_loop(simulation: Simulation, learns_population: bool) -> Watch:
    with ShardStores(None, 1, simulation.catalogue) as stores:
        path = Path(simulation, stores, learns_population=learns_population)
        watch = Watch(lambda asked: path.adaptation(asked.user_id).choose(asked.unit), simulation.truth)
        for arrival in simulation.arrivals(watch):
            path.take(arrival)
    return watch


def _as_json(measured: Measured) -> dict[str, object]:
    groups = {title: [figure._asdict() for figure in figures] for title, figures in measured.groups.items()}
    bins = [bin_._asdict() for bin_ in by_confidence(measured.preferences)]
    return {"seed": measured.seed, "groups": groups, "confidence": bins}


def _print(measured: list[Measured]) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    console.print(machine())
    for title in measured[0].groups:
        console.print("", _table(title, measured))
        if title == _CONFIDENCE:
            console.print("", _calibration([one for history in measured for one in history.preferences]))


def _table(title: str, measured: list[Measured]) -> Table:
    """Return a group's table: a line per figure, a column per seed, their mean next to the target."""
    table = _empty_table(title)
    table.add_column("", min_width=43)
    table.add_column("unit", min_width=10)
    for heading in ("of", *(f"seed {history.seed}" for history in measured), "mean", "target"):
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


def _calibration(found: list[Found]) -> Table:
    table = _empty_table("Calibration of confidence, all seeds together")
    table.add_column("confidence", min_width=43)
    for heading in ("preferences", "mean confidence", "share right"):
        table.add_column(heading, justify="right", min_width=8)
    for bin_ in by_confidence(found):
        table.add_row(f"{bin_.low:.2f}–{bin_.high:.2f}", f"{bin_.n:,}", _text(bin_.confidence), _text(bin_.right))
    return table


def _empty_table(title: str) -> Table:
    return Table(
        box=None, padding=(0, 2, 0, 0), header_style="dim", title=title, title_justify="left", title_style="bold"
    )


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"


if __name__ == "__main__":
    main()
