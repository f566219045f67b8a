"""What the benchmark of learning measures of one history: predictions, preferences, confidence and the closed loop."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import NamedTuple

from benchmarks.learning_path import Path
from tacit_lab.evaluate.figures import Bucket, figures_of, scored_from
from tacit_lab.simulate import Simulation, Truth, Watched

APPLIED_FROM = 0.8
"""Confidence."""
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Edges of the calibration of confidence."""

_BUCKETS = (
    (Bucket("1–5", 1, 5), ""),
    (Bucket("6–20", 6, 20), ""),
    (Bucket("21–50", 21, 50), "≥ 0.63"),
    (Bucket("51+", 51, None), "≥ 0.75"),
    (Bucket("any number of", 1, None), ""),
)


class Figure(NamedTuple):
    """One figure of one history."""

    name: str
    unit: str
    value: float | None
    """None: there was nothing to measure."""
    n: int
    """Of what it is measured."""
    target: str = ""
    """`≥` or `≤` and a number, or nothing."""

    def meets(self, value: float) -> bool:
        """State whether a value is on the right side of the target."""
        bound = float(self.target[1:])
        return value >= bound if self.target[0] == "≥" else value <= bound


class Found(NamedTuple):
    """A preferred value at the end of the history, of one facet of one user."""

    feedback: int
    """By the user, since their last wipe."""
    confidence: float
    right: bool
    default_right: bool
    """The one value that is best for all is this user's, too."""


def share_of(name: str, hits: Sequence[bool], target: str = "") -> Figure:
    """Return the share of hits."""
    return Figure(name, "share", sum(hits) / len(hits) if hits else None, len(hits), target)


def prediction_figures(path: Path, truth: Truth) -> list[Figure]:
    """Score the predictions of the last 70% of pieces of feedback, next to those of the truth itself."""
    scored = path.judged[scored_from(len(path.judged)) :]
    liked, n = [judged.liked for judged in scored], len(scored)
    ours = figures_of(liked, [judged.p for judged in scored])
    oracle = figures_of(liked, [truth.chance_at(j.user_id, j.at_ms, j.topic, j.served) for j in scored])
    both = None not in (ours.log_loss, oracle.log_loss)
    return [
        Figure("log loss", "nats", ours.log_loss, n),
        Figure("log loss of the oracle", "nats", oracle.log_loss, n),
        Figure(
            "  ours above the oracle's",
            "nats",
            (ours.log_loss or 0) - (oracle.log_loss or 0) if both else None,
            n,
            "≤ 0.13",
        ),
        Figure("area under the ROC curve", "", ours.auc, n),
        Figure("area of the oracle", "", oracle.auc, n),
        Figure("expected calibration error", "", ours.ece, n),
    ]


def preferences(path: Path, truth: Truth) -> list[Found]:
    """Return what was learned about all users and facets by the end; no user's own settings."""
    default = truth.population_default
    found = []
    for user_id, signals in path.signals.items():
        best = truth.best(user_id)
        for facet, signal in signals.items():
            if signal.source == "learned" and signal.evidence and signal.confidence is not None:
                right, default_right = signal.value == best[facet], default[facet] == best[facet]
                found.append(Found(path.feedback[user_id], signal.confidence, right, default_right))
    return found


def preference_figures(found: Sequence[Found]) -> list[Figure]:
    """State how often the preferred value is right, by how much a user has judged."""
    rows = []
    for bucket, target in _BUCKETS:
        hits = [one.right for one in found if bucket.holds(one.feedback)]
        rows.append(share_of(f"right after {bucket.name} pieces of feedback", hits, target))
    return [*rows, share_of("right, had all the same value", [one.default_right for one in found])]


def confidence_figures(found: Sequence[Found]) -> list[Figure]:
    """State how many preferred values are sure enough to be applied, and how often these are right."""
    sure = [one.right for one in found if one.confidence >= APPLIED_FROM]
    return [
        share_of(f"confidence {APPLIED_FROM} or more", [one.confidence >= APPLIED_FROM for one in found]),
        share_of("  right of these", sure, "≥ 0.80"),
    ]


class Bin(NamedTuple):
    """Preferences of about the same confidence."""

    low: float
    high: float
    n: int
    confidence: float | None
    """Their mean; None without any."""
    right: float | None
    """Share."""


def by_confidence(found: Sequence[Found]) -> list[Bin]:
    """Return the preferences by bins of confidence."""
    bins = []
    for low, high in pairwise(BINS):
        inside = [one for one in found if low <= one.confidence < high or one.confidence == high == BINS[-1]]
        confidence = fmean(one.confidence for one in inside) if inside else None
        bins.append(Bin(low, high, len(inside), confidence, fmean(one.right for one in inside) if inside else None))
    return bins


def loop_figures(turns: Sequence[Watched], simulation: Simulation) -> list[Figure]:
    """Return the mean chance of a like in the last half of the history, next to other ways to serve the same turns."""
    truth, scenario, random = simulation.truth, simulation.scenario, Random(simulation.scenario.seed)
    half_ms = (scenario.start_ms + scenario.end_ms) // 2
    latest = [turn for turn in turns if turn.asked.at_ms >= half_ms]
    default, facets = truth.population_default, simulation.catalogue.facets

    sums = [0.0] * 4
    for (user_id, _, at_ms, topic), chance in latest:
        drawn = {name: random.choice(facet.values) for name, facet in facets.items()}
        for index, style in enumerate((drawn, default, truth.best_at(user_id, at_ms, topic))):
            sums[index] += truth.chance_at(user_id, at_ms, topic, style)
        sums[3] += chance
    drawn_, same, oracle, ours = (total / len(latest) if latest else None for total in sums)
    n = len(latest)
    return [
        Figure("styles drawn at random", "chance", drawn_, n),
        Figure("the best single style for all", "chance", same, n),
        Figure("as Copilot chooses", "chance", ours, n, "≥ 0.72"),
        Figure("the oracle", "chance", oracle, n),
    ]
