"""Figures of one simulated history: predictions, preferences, confidence and the closed loop."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import NamedTuple

from benchmarks.learning_path import Deployment
from tacit_lab.evaluate.figures import Bucket, figures_of, scored_from
from tacit_lab.simulate import ServedTurn, Simulation, Truth

APPLIED_FROM = 0.8
"""Smallest confidence at which an assistant applies a value."""
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
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
            if signal.source == "learned" and signal.evidence and signal.confidence is not None:
                right, default_right = signal.value == best[facet], default[facet] == best[facet]
                preference = LearnedPreference(deployment.feedback[user_id], signal.confidence, right, default_right)
                learned.append(preference)
    return learned


def preference_figures(preferences: Sequence[LearnedPreference]) -> list[Figure]:
    """Return the share of right values by the user's number of feedbacks."""
    rows = []
    for bucket, target in _BUCKETS:
        hits = [one.right for one in preferences if bucket.holds(one.feedback)]
        rows.append(share_of(f"right after {bucket.name} feedbacks", hits, target))
    return [*rows, share_of("right with one value for all users", [one.default_right for one in preferences])]


def confidence_figures(preferences: Sequence[LearnedPreference]) -> list[Figure]:
    """Return the share of values with enough confidence to be applied, and the share of these that is right."""
    applied = [one.right for one in preferences if one.confidence >= APPLIED_FROM]
    return [
        share_of(f"confidence {APPLIED_FROM} or more", [one.confidence >= APPLIED_FROM for one in preferences]),
        share_of("  right of these", applied, "≥ 0.80"),
    ]


class Bin(NamedTuple):
    """Learned preferences within a range of confidence."""

    low: float
    high: float
    n: int
    confidence: float | None
    """Mean confidence; None for an empty bin."""
    right: float | None
    """Share of right values; None for an empty bin."""


def by_confidence(preferences: Sequence[LearnedPreference]) -> list[Bin]:
    """Group preferences into bins of confidence."""
    bins = []
    for low, high in pairwise(BINS):
        inside = [one for one in preferences if low <= one.confidence < high or one.confidence == high == BINS[-1]]
        confidence = fmean(one.confidence for one in inside) if inside else None
        bins.append(Bin(low, high, len(inside), confidence, fmean(one.right for one in inside) if inside else None))
    return bins


def loop_figures(turns: Sequence[ServedTurn], simulation: Simulation) -> list[Figure]:
    """Return the mean probability of a like in the last half of the history, with other choices for the same turns."""
    truth, scenario, random = simulation.truth, simulation.scenario, Random(simulation.scenario.seed)
    half_ms = (scenario.start_ms + scenario.end_ms) // 2
    latest = [turn for turn in turns if turn.request.at_ms >= half_ms]
    default, facets = truth.population_default, simulation.catalogue.facets

    sums = [0.0] * 4
    for (user_id, _, at_ms, topic, _), chance in latest:
        drawn = {name: random.choice(facet.values) for name, facet in facets.items()}
        for index, style in enumerate((drawn, default, truth.best_at(user_id, at_ms, topic))):
            sums[index] += truth.chance_at(user_id, at_ms, topic, style)
        sums[3] += chance
    random_mean, default_mean, oracle_mean, tacit_mean = (total / len(latest) if latest else None for total in sums)
    n = len(latest)
    return [
        Figure("random styles", "probability", random_mean, n),
        Figure("the best single style for all users", "probability", default_mean, n),
        Figure("as the assistant chooses", "probability", tacit_mean, n, "≥ 0.72"),
        Figure("the oracle", "probability", oracle_mean, n),
    ]
