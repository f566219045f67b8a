"""What a person likes, learned online: a Gaussian belief per value of each facet, in packed floats.

Microsoft's adPredictor (Graepel, Candela, Borchert, Herbrich, "Web-scale Bayesian click-through rate prediction for
sponsored search", ICML 2010) over one person's feedback: a probit regression whose weights are independent Gaussians,
updated by assumed-density filtering, with slow forgetting toward the prior.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from math import erfc, exp, pi, sqrt
from typing import Any

from river import base

from state import drift
from state.catalogue import Catalogue
from state.catalogue_file import FeedbackKind
from state.observation import Observation

BIAS_VARIANCE = 0.3
"""Prior variance of how much a person likes answers at all."""
VALUE_VARIANCE = 0.06
"""Prior variance of how much a person likes one value of a facet."""
NOISE_VARIANCE = 1.0
"""Variance of a single judgement."""
KEPT = 0.99
"""Share ρ of a mean that survives an event which touches it; the variance goes back toward the prior alike."""
MODEL_VERSION = 1
"""Raised when the same events would give other beliefs; signals carry it."""

_VALUE_REGAINED = (1 - KEPT * KEPT) * VALUE_VARIANCE
_BIAS_REGAINED = (1 - KEPT * KEPT) * BIAS_VARIANCE
_SQRT_HALF = sqrt(0.5)
_DENSITY = 1 / sqrt(2 * pi)
_MOST_REASONS = 255


def phi(z: float) -> float:
    """Return Φ(z), the standard normal distribution function.

    >>> phi(0.0)
    0.5
    """
    return 0.5 * erfc(-z * _SQRT_HALF)


class Preferences(base.Classifier):
    """All that was learned about one person's taste: a River classifier over a catalogue's slots.

    The hot path speaks in slots (`predict`, `learn`); `learn_one` and `predict_proba_one` take what was served as a
    dict of facet → value or values, so River's metrics, `evaluate` and pipelines work on it. What the catalogue does
    not know is ignored.

    >>> model = Preferences(Catalogue.load())
    >>> for _ in range(20):
    ...     model.learn_one({"length": "concise"}, True)
    ...     model.learn_one({"length": "detailed"}, False)
    >>> round(model.predict_proba_one({"length": "concise"})[True], 2)
    0.68
    >>> round(model.predict_proba_one({"length": "detailed"})[True], 2)
    0.3
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        slots, facets, kinds = catalogue.sizes
        self.means = array("f", bytes(4 * (slots + 1)))
        """By slot, then the bias."""
        self.variances = array("f", [VALUE_VARIANCE] * slots + [BIAS_VARIANCE])
        self.evidence = array("f", bytes(4 * facets))
        """Discounted count of feedback, by facet."""
        self.drift_sums = array("f", bytes(4 * facets))
        self.drift_at_ms = array("q", bytes(8 * facets))
        """Event time of the last flag, by facet; 0: none."""
        self.fresh = array("B", [drift.SETTLED] * facets)
        """Pieces of evidence since the last flag, the one that raised it included, up to `SETTLED`, by facet."""
        self.reasons = array("B", bytes(facets * kinds))
        """Count of each feedback kind for each facet, up to 255: facet × kind, row by row."""

    def grow(self) -> None:
        """Make room for what the catalogue's table has gained since these beliefs were packed; it starts as anew."""
        catalogue, new = self.catalogue, Preferences(self.catalogue)
        slots, facets = len(self.means) - 1, len(self.evidence)
        self.means[slots:slots] = new.means[slots:-1]
        self.variances[slots:slots] = new.variances[slots:-1]
        self.reasons = _widened(self.reasons, len(self.reasons) // facets, len(catalogue.feedback_names))
        self.reasons.extend(new.reasons[len(self.reasons) :])
        self.evidence.extend(new.evidence[facets:])
        self.drift_sums.extend(new.drift_sums[facets:])
        self.drift_at_ms.extend(new.drift_at_ms[facets:])
        self.fresh.extend(new.fresh[facets:])

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"catalogue": Catalogue.load()}

    def predict(self, slots: Sequence[int]) -> tuple[float, float]:
        """Return mean and variance of the judgement of an answer in this style; P(like) is Φ(mean / √variance)."""
        means, variances = self.means, self.variances
        mean, variance = means[-1], NOISE_VARIANCE + variances[-1]
        for slot in slots:
            mean += means[slot]
            variance += variances[slot]
        return mean, variance

    def learn(
        self, slots: Sequence[int], liked: bool, weight: float, at_ms: int, only: Collection[int] = ()
    ) -> Collection[int]:
        """Learn that an answer served with `slots` was liked or not; return the facets whose beliefs moved.

        `weight` is 0–1. `only` narrows learning to some facets: then the bias stays as it is, too.
        """
        mean, variance = self.predict(slots)
        sign = 1.0 if liked else -1.0
        scale = sqrt(variance)
        z = sign * mean / scale
        gain, shrink = _gain(z)
        mean_step = weight * sign * gain / scale
        variance_step = weight * shrink / variance
        means, variances, facet_of = self.means, self.variances, self.catalogue.slot_facets
        shares: dict[int, float] = {}
        for slot in slots:
            facet = facet_of[slot]
            if only and facet not in only:
                continue
            m, v = means[slot], variances[slot]
            shares[facet] = shares.get(facet, 0.0) + m
            means[slot] = KEPT * (m + v * mean_step)
            variances[slot] = KEPT * KEPT * v * (1.0 - v * variance_step) + _VALUE_REGAINED
        if not only:
            m, v = means[-1], variances[-1]
            means[-1] = KEPT * (m + v * mean_step)
            variances[-1] = KEPT * KEPT * v * (1.0 - v * variance_step) + _BIAS_REGAINED
        log_holds = drift.log_phi(z)
        for facet, share in shares.items():
            if share:
                self._watch(facet, drift.log_phi(z - 2.0 * sign * share / scale) - log_holds, at_ms)
        return shares.keys()

    def learn_feedback(self, o: Observation, kind: FeedbackKind, weight: float) -> Collection[int]:
        """Learn from an answer that was served with `o.slots` and got this feedback; return the facets that moved."""
        learned: Collection[int]
        if kind.label is not None:
            learned = self.learn(o.slots, kind.label, weight, o.at_ms, o.facets)
        else:
            learned = list(self._moved(o, kind, weight))
        self._add_evidence(learned, o.feedback, weight)
        return learned

    def _moved(self, o: Observation, kind: FeedbackKind, weight: float) -> Iterator[int]:
        """Learn from directed feedback: what was served is a dislike, the next value that way a like."""
        catalogue = self.catalogue
        for move in kind.moves.items():
            facet, next_slots = catalogue.facet_index[move[0]], catalogue.next_slots[move]
            if o.facets and facet not in o.facets:
                continue
            for slot in o.slots:
                wished = next_slots.get(slot)
                if wished is not None:
                    self.learn((slot,), False, weight, o.at_ms, (facet,))
                    self.learn((wished,), True, weight, o.at_ms, (facet,))
                    yield facet

    def just_drifted(self, facet: int) -> bool:
        """Say whether the last piece of evidence was found to be a change of taste."""
        return self.fresh[facet] == 1

    def _add_evidence(self, facets: Collection[int], kind: int, weight: float) -> None:
        kinds = len(self.catalogue.feedback_names)
        for facet in facets:
            self.evidence[facet] = KEPT * self.evidence[facet] + weight
            if self.fresh[facet] < drift.SETTLED:
                self.fresh[facet] += 1
            reason = facet * kinds + kind
            if self.reasons[reason] < _MOST_REASONS:
                self.reasons[reason] += 1

    def _watch(self, facet: int, log_ratio: float, at_ms: int) -> None:
        """Add the log likelihood ratio of "reversed" to "holds" to the facet's sum; above the threshold, start anew."""
        total = self.drift_sums[facet] + log_ratio
        if total <= drift.THRESHOLD:
            self.drift_sums[facet] = total if total > 0.0 else 0.0
            return
        self.drift_sums[facet] = 0.0
        self.drift_at_ms[facet] = at_ms
        self.fresh[facet] = 0
        for slot in self.catalogue.facet_slots[facet]:
            self.means[slot] *= drift.MEAN_KEPT
            self.variances[slot] += drift.VARIANCE_REGAINED * (VALUE_VARIANCE - self.variances[slot])

    def learn_one(self, x: dict[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Learn from one answer, as River calls it; there is no event time, so a drift is stamped 0."""
        self.learn(self._slots(x), bool(y), w, at_ms=0)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[base.typing.ClfTarget, float]:
        """Return the probability of a like and of a dislike of one answer."""
        mean, variance = self.predict(self._slots(x))
        p = phi(mean / sqrt(variance))
        return {True: p, False: 1.0 - p}

    def _slots(self, x: dict[Any, Any]) -> list[int]:
        index = self.catalogue.slot_index
        return sorted(
            index[facet][value]
            for facet, served in x.items()
            if facet in index
            for value in ([served] if isinstance(served, str) else served)
            if value in index[facet]
        )


def _widened(rows: "array[int]", width: int, wider: int) -> "array[int]":
    """Return a matrix with zeros behind each of its rows."""
    if width in (0, wider):
        return rows
    wide = array(rows.typecode)
    for start in range(0, len(rows), width):
        wide.extend(rows[start : start + width])
        wide.frombytes(bytes((wider - width) * rows.itemsize))
    return wide


def _gain(z: float) -> tuple[float, float]:
    """Return the corrections N(z) to a mean and W(z) to a variance (Graepel et al., eq. 11 and 12)."""
    t = min(5.0, max(-5.0, z))
    n = _DENSITY * exp(-0.5 * t * t) / phi(t)
    return n, n * (n + t)
