"""Plot of an evaluation: log loss by a user's feedback so far, and calibration of the deployed model.

Only `plot` imports Matplotlib.
"""

from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from state.durable import replacing
from state.errors import SinkError
from tacit.errors import ConfigurationError
from tacit_lab.evaluate.evaluation import Evaluation
from tacit_lab.evaluate.figures import ALL, CALIBRATION_BINS, Bucket

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg")

_STEPS = (
    Bucket("1", 1, 1),
    Bucket("2", 2, 2),
    Bucket("3–5", 3, 5),
    Bucket("6–10", 6, 10),
    Bucket("11–20", 11, 20),
    Bucket("21–50", 21, 50),
    Bucket("51–100", 51, 100),
    Bucket("101+", 101, None),
)
_LAST_AT = 142.0
"""Position of the last step on the logarithmic axis: the distance to the step before is that of the other steps."""
_MIN = 30
"""Examples that a point of a curve or of the calibration needs."""

# Okabe and Ito's colours, which colour-blind readers can distinguish.
_BLUE, _GREY = "#0072B2", "#7f7f7f"
_STYLES = {
    "tacit": (_BLUE, "o", "-"),
    "ad_predictor": ("#D55E00", "s", "-"),
    "ad_predictor_full": ("#D55E00", "D", "--"),
    "biased_mf": ("#009E73", "^", "--"),
    "logistic_regression": ("#CC79A7", "v", "-"),
    "user_mean": ("#E69F00", "P", "-"),
}
"""Model → colour, marker and line; models with items or topics are dashed."""
_ANY_STYLE = (_GREY, "", ":")


class _Bin(NamedTuple):
    n: int
    p: float
    """Mean prediction."""
    liked: float
    """Share of likes."""


def require_plot(path: Path) -> None:
    """Check that a plot can be written, before an evaluation that may take hours.

    Raises:
        ConfigurationError: the suffix is another, the folder is missing, or Matplotlib is not installed.
    """
    problems = []
    if path.suffix not in SUFFIXES:
        problems.append(f"plot: {path} must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        problems.append(f"plot: {path.parent} is no folder; create the folder first")
    if find_spec("matplotlib") is None:
        problems.append("plot: Matplotlib is missing; run pip install 'tacit-worker[plot]'")
    if problems:
        raise ConfigurationError(problems)


def plot(evaluation: Evaluation, path: Path) -> None:
    """Plot the last 70% of the examples into a `.png` or `.svg` file, which appears when it is complete.

    Raises:
        ConfigurationError: as `require_plot`.
        SinkError: the file cannot be written.
    """
    require_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 6.2), layout="constrained")
    axes = figure.subplot_mosaic("CR;CN", width_ratios=(1.4, 1), height_ratios=(4, 1))
    _draw_curves(axes["C"], evaluation)
    _draw_calibration(axes["R"], axes["N"], evaluation)
    lines = axes["C"].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=min(len(evaluation.models), 5), frameon=False)
    try:
        with rc_context({"svg.fonttype": "none"}), replacing(path) as file:  # text stays text
            figure.savefig(file, dpi=150, format=path.suffix.removeprefix("."))
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error.strerror}; make room, make the folder writable, or give another path"
        ) from error


def _draw_curves(axes: "Axes", evaluation: Evaluation) -> None:
    start = evaluation.scored_from
    for model in evaluation.models:
        colour, marker, line = _STYLES.get(model.name, _ANY_STYLE)
        width, size, layer = (3.0, 8.0, 3) if model is evaluation.deployed else (1.5, 5.0, 2)
        found = [(_position(step), evaluation.figures(model, step, start)) for step in _STEPS]
        points = [(x, figures.log_loss) for x, figures in found if figures.n >= _MIN and figures.log_loss is not None]
        axes.plot(
            [x for x, _ in points], [y for _, y in points], label=model.title, color=colour, marker=marker,
            linestyle=line, linewidth=width, markersize=size, zorder=layer,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([_position(step) for step in _STEPS], [step.name for step in _STEPS])
    axes.minorticks_off()
    axes.grid(color="#e6e6e6")
    axes.set_title("Log loss by the user's feedback so far", loc="left")
    axes.set_xlabel("number of the feedback among the user's feedback")
    axes.set_ylabel("mean log loss (nats; less is better)")


def _position(step: Bucket) -> float:
    return _LAST_AT if step.last is None else sqrt(step.first * step.last)


def _draw_calibration(axes: "Axes", counts: "Axes", evaluation: Evaluation) -> None:
    """Draw the share of likes by predicted chance, above the count of predictions."""
    bins = _bins(evaluation)
    shown = [found for found in bins if found.n >= _MIN]
    errors = [2 * sqrt(found.liked * (1 - found.liked) / found.n) for found in shown]
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, zorder=2)
    axes.errorbar(
        [found.p for found in shown], [found.liked for found in shown], yerr=errors, color=_BLUE, marker="o",
        linewidth=2, markersize=7, capsize=3, zorder=3,
    )  # fmt: skip
    ece = evaluation.figures(evaluation.deployed, ALL, evaluation.scored_from).ece
    error = "" if ece is None else f": expected error {ece:.3f}"
    axes.set_title(f"Calibration of {evaluation.deployed.title}{error}", loc="left")
    axes.set_ylabel("share of likes (± 2 standard errors)")
    axes.tick_params(labelbottom=False)
    axes.set_ylim(0, 1)
    width = 1 / CALIBRATION_BINS
    bars = counts.bar(
        [(index + 0.5) * width for index in range(CALIBRATION_BINS)], [found.n for found in bins], width * 0.9,
        color="#9cc3e0",
    )  # fmt: skip
    counts.bar_label(bars, [f"{found.n:,}" for found in bins], size=7, padding=1)
    counts.margins(y=0.25)
    counts.set_yticks([])
    counts.set_ylabel("feedback")
    counts.set_xlabel("predicted chance of a like")
    for panel in (axes, counts):
        panel.set_xlim(0, 1)
        panel.grid(color="#e6e6e6")
        panel.set_axisbelow(True)


def _bins(evaluation: Evaluation) -> list[_Bin]:
    """Return the predictions of the deployed model in ten bins."""
    liked, p = evaluation.feedback.liked, evaluation.deployed.p
    bins: list[list[int]] = [[] for _ in range(CALIBRATION_BINS)]
    for index in range(evaluation.scored_from, len(p)):
        bins[min(int(p[index] * CALIBRATION_BINS), CALIBRATION_BINS - 1)].append(index)
    return [
        _Bin(
            len(found), sum(p[index] for index in found) / len(found), sum(liked[index] for index in found) / len(found)
        )
        if found
        else _Bin(0, 0.0, 0.0)
        for found in bins
    ]
