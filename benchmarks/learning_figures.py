"""Figures of one simulated history: predictions, preferences and confidence."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from benchmarks.learning_path import Deployment
from tacit_lab.evaluate.figures import Bucket, figures_of, scored_from
from tacit_lab.simulate import Truth

APPLIED_FROM = 0.8
"""Smallest confidence at which an assistant applies a value."""
SURE_FROM = 0.9
"""Smallest confidence of a second group."""
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Edges of the calibration of confidence."""

_BUCKETS = (
    (Bucket("1–5", 1, 5), ""),
    (Bucket("6–20", 6, 20), ""),
    (Bucket("21–50", 21, 50), "≥ 0.63"),
    (Bucket("51+", 51, None), "≥ 0.75"),
    (Bucket("1 or more", 1, None), ""),
)


class Figure(NamedTuple):
    """One figure of one history."""

    name: str
    unit: str
    value: float | None
    """None without data."""
    n: int
    """Number of measured items."""
    target: str = ""
    """`≥` or `≤` and a number; empty without a target."""

    def meets(self, value: float) -> bool:
        """Check whether a value reaches the target."""
        bound = float(self.target[1:])
        return value >= bound if self.target[0] == "≥" else value <= bound


class LearnedPreference(NamedTuple):
    """The learned value of one facet of one user at the end of the history."""

    feedback: int
    """Number of the user's feedbacks since the last wipe."""
    confidence: float
    right: bool
    """The learned value is the user's best."""
    default_right: bool
    """The population's best value is the user's best, too."""
    beats: bool
    """The user likes the learned value better than the runner-up, averaged over the user's topics."""


def share_of(name: str, hits: Sequence[bool], target: str = "") -> Figure:
    """Return the share of hits as a figure."""
    return Figure(name, "share", sum(hits) / len(hits) if hits else None, len(hits), target)


def prediction_figures(deployment: Deployment, truth: Truth) -> list[Figure]:
    """Score the predictions of the last 70% of the feedback, and those of an oracle that knows the truth."""
    scored = deployment.predictions[scored_from(len(deployment.predictions)) :]
    liked, n = [one.liked for one in scored], len(scored)
    tacit = figures_of(liked, [one.p for one in scored])
    oracle = figures_of(liked, [truth.chance_at(one.user_id, one.at_ms, one.topic, one.served) for one in scored])
    both = None not in (tacit.log_loss, oracle.log_loss)
    return [
        Figure("log loss", "nats", tacit.log_loss, n),
        Figure("log loss of the oracle", "nats", oracle.log_loss, n),
        Figure(
            "  Tacit above the oracle",
            "nats",
            (tacit.log_loss or 0) - (oracle.log_loss or 0) if both else None,
            n,
            "≤ 0.13",
        ),
        Figure("area under the ROC curve", "", tacit.auc, n),
        Figure("area of the oracle", "", oracle.auc, n),
        Figure("expected calibration error", "", tacit.ece, n),
    ]


def learned_preferences(deployment: Deployment, truth: Truth) -> list[LearnedPreference]:
    """Return the learned values of all users at the end of the history; pinned values are left out."""
    default = truth.population_default
    learned = []
    for user_id, signals in deployment.signals.items():
        best = truth.best(user_id)
        for facet, signal in signals.items():
            if signal.source == "learned" and signal.confidence is not None and signal.runner_up is not None:
                right, default_right = signal.value == best[facet], default[facet] == best[facet]
                beats = truth.prefers(user_id, facet, signal.value, signal.runner_up)
                learned.append(
                    LearnedPreference(deployment.feedback[user_id], signal.confidence, right, default_right, beats)
                )
    return learned


def preference_figures(preferences: Sequence[LearnedPreference]) -> list[Figure]:
    """Return the share of right values by the user's number of feedbacks."""
    rows = []
    for bucket, target in _BUCKETS:
        hits = [one.right for one in preferences if bucket.holds(one.feedback)]
        rows.append(share_of(f"right after {bucket.name} feedbacks", hits, target))
    return [*rows, share_of("right with one value for all users", [one.default_right for one in preferences])]


def confidence_figures(preferences: Sequence[LearnedPreference]) -> list[Figure]:
    """Return the shares of values with enough confidence, and the shares of these that beat their runner-up."""
    rows = []
    for least in (APPLIED_FROM, SURE_FROM):
        sure = [one for one in preferences if one.confidence >= least]
        confidence = fmean(one.confidence for one in sure) if sure else None
        beats = [one.beats for one in sure]
        rows += [
            share_of(f"confidence {least} or more", [one.confidence >= least for one in preferences]),
            Figure("  mean confidence of these", "probability", confidence, len(sure)),
            share_of("  better than the runner-up", beats),
            _excess(confidence, beats),
            share_of("  best of all values", [one.right for one in sure]),
        ]
    return rows


def _excess(confidence: float | None, beats: Sequence[bool]) -> Figure:
    excess = None if confidence is None else abs(confidence - fmean(beats))
    return Figure("  distance of confidence and share", "probability", excess, len(beats), "≤ 0.02")


class Bin(NamedTuple):
    """Learned preferences within a range of confidence."""

    low: float
    high: float
    n: int
    confidence: float | None
    """Mean confidence; None for an empty bin."""
    beats: float | None
    """Share of values that beat their runner-up; None for an empty bin."""
    right: float | None
    """Share of values that are the best of all; None for an empty bin."""


def by_confidence(preferences: Sequence[LearnedPreference]) -> list[Bin]:
    """Group preferences into bins of confidence."""
    return [
        _bin(low, high, [one for one in preferences if low <= one.confidence < high or one.confidence == high == 1.0])
        for low, high in pairwise(BINS)
    ]


def _bin(low: float, high: float, inside: Sequence[LearnedPreference]) -> Bin:
    if not inside:
        return Bin(low, high, 0, None, None, None)
    confidence, beats = fmean(one.confidence for one in inside), fmean(one.beats for one in inside)
    return Bin(low, high, len(inside), confidence, beats, fmean(one.right for one in inside))
