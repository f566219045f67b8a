"""An evaluation as a picture: how fast models learn a user, and whether the deployed one's chances are true.

Matplotlib is asked for only here, and only when a picture is.
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
"""Where on the axis 101 and more are drawn: as far from the step before as that is from the one before it."""
_MIN = 30
"""Fewer pieces of feedback than this are no point of a curve or of a calibration."""

# Okabe and Ito's colours, which the colour-blind distinguish.
_BLUE, _GREY = "#0072B2", "#7f7f7f"
_STYLES = {
    "tacit": (_BLUE, "o", "-"),
    "ad_predictor": ("#D55E00", "s", "-"),
    "ad_predictor_full": ("#D55E00", "D", "--"),
    "biased_mf": ("#009E73", "^", "--"),
    "logistic_regression": ("#CC79A7", "v", "-"),
    "user_mean": ("#E69F00", "P", "-"),
}
"""Model → colour, marker and line; dashed are those that know items or topics."""
_ANY_STYLE = (_GREY, "", ":")


class _Bin(NamedTuple):
    n: int
    p: float
    """Mean of what was predicted."""
    liked: float
    """Share of likes."""


def require_plot(path: Path) -> None:
    """Check that a picture can be drawn there, before hours go into what it is to show.

    Raises:
        ConfigurationError: it cannot.
    """
    problems = []
    if path.suffix not in SUFFIXES:
        problems.append(f"plot: {path} must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        problems.append(f"plot: {path.parent} is no folder; make it first")
    if find_spec("matplotlib") is None:
        problems.append("plot: pictures need matplotlib: pip install 'tacit-worker[plot]'")
    if problems:
        raise ConfigurationError(problems)


def plot(evaluation: Evaluation, path: Path) -> None:
    """Draw the last 70% of all pieces of feedback into a `.png` or `.svg` file.

    Raises:
        ConfigurationError: matplotlib is missing, or the file is of another kind.
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
        with rc_context({"svg.fonttype": "none"}), replacing(path) as file:  # words stay words
            figure.savefig(file, dpi=150, format=path.suffix.removeprefix("."))
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error


def _draw_curves(axes: "Axes", evaluation: Evaluation) -> None:
    start = evaluation.scored_from
    for model in evaluation.models:
        colour, marker, line = _STYLES.get(model.name, _ANY_STYLE)
        width, size, layer = (3.0, 8.0, 3) if model is evaluation.deployed else (1.5, 5.0, 2)
        found = [(_place(step), evaluation.figures(model, step, start)) for step in _STEPS]
        points = [(x, figures.log_loss) for x, figures in found if figures.n >= _MIN and figures.log_loss is not None]
        axes.plot(
            [x for x, _ in points], [y for _, y in points], label=model.title, color=colour, marker=marker,
            linestyle=line, linewidth=width, markersize=size, zorder=layer,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks([_place(step) for step in _STEPS], [step.name for step in _STEPS])
    axes.minorticks_off()
    axes.grid(color="#e6e6e6")
    axes.set_title("Log loss by how much a user has judged", loc="left")
    axes.set_xlabel("pieces of feedback of the user so far, this one included")
    axes.set_ylabel("log loss of a piece of feedback (nats; less is better)")


def _place(step: Bucket) -> float:
    return _LAST_AT if step.last is None else sqrt(step.first * step.last)


def _draw_calibration(axes: "Axes", counts: "Axes", evaluation: Evaluation) -> None:
    """Draw what share was liked of what was predicted to be, above how often it was predicted."""
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
    for below_one_another in (axes, counts):
        below_one_another.set_xlim(0, 1)
        below_one_another.grid(color="#e6e6e6")
        below_one_another.set_axisbelow(True)


def _bins(evaluation: Evaluation) -> list[_Bin]:
    """Return what the deployed model's predictions came to, by tenths."""
    liked, p = evaluation.feedback.liked, evaluation.deployed.p
    places: list[list[int]] = [[] for _ in range(CALIBRATION_BINS)]
    for place in range(evaluation.scored_from, len(p)):
        places[min(int(p[place] * CALIBRATION_BINS), CALIBRATION_BINS - 1)].append(place)
    return [
        _Bin(len(some), sum(p[place] for place in some) / len(some), sum(liked[place] for place in some) / len(some))
        if some
        else _Bin(0, 0.0, 0.0)
        for some in places
    ]
