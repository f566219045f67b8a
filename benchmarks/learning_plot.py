"""Plot of the calibration of confidence."""

from collections.abc import Sequence
from importlib.util import find_spec
from math import sqrt
from pathlib import Path

from benchmarks.learning_figures import APPLIED_FROM, LearnedPreference, by_confidence

_MIN = 10
"""Smallest number of preferences for a point of the curve."""
_FROM = 0.5
"""Smallest confidence in the plot."""
_BLUE, _GREY, _PALE = "#0072B2", "#7f7f7f", "#9cc3e0"


def plot_confidence(preferences: Sequence[LearnedPreference], folder: Path) -> str:
    """Draw `confidence.png` and `confidence.svg` into a folder, and return a message with the paths.

    A missing folder is created. Without matplotlib nothing is drawn; the message names the package to install.
    """
    if find_spec("matplotlib") is None:
        return "no plot: matplotlib is missing; run pip install matplotlib"
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    bins = [one for one in by_confidence(preferences) if one.low >= _FROM]
    points = [(b.confidence, b.beats, b.n) for b in bins if b.confidence and b.beats is not None and b.n >= _MIN]
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([_FROM, 1], [_FROM, 1], color=_GREY, linestyle="--", linewidth=1, label="confidence = share")
    axes.axvline(APPLIED_FROM, color=_GREY, linestyle=":", linewidth=1, label="applied from this confidence on")
    axes.errorbar(
        [confidence for confidence, _, _ in points], [beats for _, beats, _ in points],
        yerr=[2 * sqrt(beats * (1 - beats) / n) for _, beats, n in points], color=_BLUE, marker="o", linewidth=2,
        markersize=7, capsize=3, label="learned values (± 2 standard errors)",
    )  # fmt: skip
    axes.set_title("Learned values: confidence and share better than the runner-up", loc="left")
    axes.set_ylabel("share better than the runner-up")
    axes.legend(frameon=False, loc="upper left")
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)
    widths = [b.high - b.low for b in bins]
    bars = counts.bar([b.low for b in bins], [b.n for b in bins], widths, align="edge", color=_PALE, edgecolor="white")
    counts.bar_label(bars, [f"{b.n:,}" for b in bins], size=7, padding=1)
    counts.margins(y=0.3)
    counts.set_xlim(_FROM, 1)
    counts.set_yticks([])
    counts.set_xlabel("confidence")
    counts.set_ylabel("preferences")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "confidence.png", folder / "confidence.svg"]
    with rc_context({"svg.fonttype": "none"}):  # keep text as text
        for path in paths:
            figure.savefig(path, dpi=150)
    return f"plots written: {', '.join(map(str, paths))}"
