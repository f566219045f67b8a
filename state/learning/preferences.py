"""What a person likes, learned online: Gaussian beliefs about each value of each facet, in packed floats.

Microsoft's adPredictor (Graepel, Candela, Borchert, Herbrich, "Web-scale Bayesian click-through rate prediction for
sponsored search", ICML 2010) over one person's feedback: a probit regression whose weights are independent Gaussians,
updated by assumed-density filtering, with slow forgetting toward the prior. It is the upper of two layers: what is
believed of everybody (state.learning.population_prior) comes below it, and this is how the person differs.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from math import log, sqrt
from typing import Any, NamedTuple

from river import base

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.events.observation import Observation
from state.learning import drift
from state.learning.example import DirectedFeedback
from state.learning.population_prior import Prior
from state.learning.prediction import NOISE_VARIANCE, NOTHING_EXPECTED, Expected, Own
from state.learning.probit import corrections, normal_cdf
from tacit.contract.catalogue import FeedbackKind

BIAS_VARIANCE = 0.3
"""Prior variance of how much a person likes answers at all, compared with others."""
SLOPE_VARIANCE = 0.2
"""Prior variance of which way a person leans on an ordered facet's scale from −1 to 1."""
VALUE_VARIANCES = {Shape.SINGLE: 0.1, Shape.ORDERED: 0.03, Shape.MULTIPLE: 0.05}
"""Prior variance of how much a person likes one value, beyond where it stands on a scale; by shape of the facet."""
KEPT = 0.99
"""Share ρ of a mean that survives an event which touches it; the variance goes back toward the prior alike."""
MODEL_VERSION = 2
"""Raised when the same events would give other beliefs; signals carry it."""
MAX_FEEDBACK_COUNT = 255

_KEPT_VARIANCE = KEPT * KEPT
_REGAINED = 1 - _KEPT_VARIANCE
_VALUE_REGAINED = tuple(_REGAINED * VALUE_VARIANCES[shape] for shape in Shape)
_MOST_REASONS = 255


class Learned(NamedTuple):
    """What a piece of feedback taught."""

    facets: Collection[int]
    """Whose beliefs moved."""
    p: float
    """The chance of a like that was predicted before."""
    own: Own
    """What the person's own beliefs added to that."""
    directed: Sequence[DirectedFeedback]


class Preferences(base.Classifier):
    """All that was learned about one person's taste: a River classifier over a catalogue's slots.

    The hot path speaks in slots (`learn_feedback`); `learn_one` and `predict_proba_one` take what was served as a
    dict of facet → value or values, so River's metrics, `evaluate` and pipelines work on it, with nothing known of
    anybody else. What the catalogue does not know is ignored.

    >>> model = Preferences(NumberedCatalogue.load())
    >>> for _ in range(20):
    ...     model.learn_one({"length": "concise"}, True)
    ...     model.learn_one({"length": "detailed"}, False)
    >>> round(model.predict_proba_one({"length": "concise"})[True], 2)
    0.89
    >>> round(model.predict_proba_one({"length": "detailed"})[True], 2)
    0.11
    """

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.catalogue = catalogue
        slots, facets, kinds = catalogue.sizes
        self.means = array("f", bytes(4 * (slots + facets + 1)))
        """By slot, then the slope of each facet (0 unless it is ordered), then the bias."""
        self.variances = array("f", [VALUE_VARIANCES[shape] for shape in catalogue.slot_shapes])
        self.variances.extend([SLOPE_VARIANCE] * facets)
        self.variances.append(BIAS_VARIANCE)
        self.evidence = array("f", bytes(4 * facets))
        """Discounted count of feedback, by facet."""
        self.drift_sums = array("f", bytes(4 * facets))
        self.drift_at_s = array("I", bytes(4 * facets))
        """Event time of the last flag in seconds, by facet; 0: none."""
        self.fresh = array("B", [drift.SETTLED] * facets)
        """Pieces of evidence since the last flag, the one that raised it included, up to `SETTLED`, by facet."""
        self.reasons = array("B", bytes(facets * kinds))
        """Count of each feedback kind for each facet, up to 255: facet × kind, row by row."""
        self.feedback_count = 0
        """Answers that this person has judged, up to 255."""
        self.population = 0
        """Version of the population's beliefs when something was last learned; 0: none."""

    def grow(self, slots: int, facets: int) -> None:
        """Make room for what the catalogue's table has gained since it had so many slots and facets."""
        catalogue, new = self.catalogue, Preferences(self.catalogue)
        for ours, theirs in ((self.means, new.means), (self.variances, new.variances)):
            ours[-1:-1] = theirs[len(catalogue.slots) + facets : -1]
            ours[slots:slots] = theirs[slots : len(catalogue.slots)]
        self.reasons = _widened(self.reasons, len(self.reasons) // facets, len(catalogue.feedback_names))
        self.reasons.extend(new.reasons[len(self.reasons) :])
        self.evidence.extend(new.evidence[facets:])
        self.drift_sums.extend(new.drift_sums[facets:])
        self.drift_at_s.extend(new.drift_at_s[facets:])
        self.fresh.extend(new.fresh[facets:])

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"catalogue": NumberedCatalogue.load()}

    def own(self, slots: Sequence[int]) -> Own:
        """Return what this person's own beliefs say of an answer in this style."""
        means, variances, catalogue = self.means, self.variances, self.catalogue
        facet_of, places, slopes = catalogue.slot_facets, catalogue.slot_places, len(catalogue.slots)
        bias = means[-1]
        mean, variance = bias, variances[-1]
        shares: dict[int, float] = {}
        for slot in slots:
            facet, place = facet_of[slot], places[slot]
            share = means[slot]
            variance += variances[slot]
            if place:
                share += place * means[slopes + facet]
                variance += place * place * variances[slopes + facet]
            mean += share
            shares[facet] = shares.get(facet, 0.0) + share
        return Own(mean, variance, bias, shares)

    def value(self, slot: int) -> tuple[float, float]:
        """Return mean and variance of how much more than others this person likes one value."""
        catalogue = self.catalogue
        mean, variance, place = self.means[slot], self.variances[slot], catalogue.slot_places[slot]
        if place:
            slope = len(catalogue.slots) + catalogue.slot_facets[slot]
            mean += place * self.means[slope]
            variance += place * place * self.variances[slope]
        return mean, variance

    def difference(self, slot: int, other: int) -> tuple[float, float]:
        """Return mean and variance of how much more than others this person likes one value better than another."""
        means, variances, catalogue = self.means, self.variances, self.catalogue
        slope = len(catalogue.slots) + catalogue.slot_facets[slot]
        step = catalogue.slot_places[slot] - catalogue.slot_places[other]
        mean = means[slot] - means[other] + step * means[slope]
        return mean, variances[slot] + variances[other] + step * step * variances[slope]

    def learn(
        self,
        slots: Sequence[int],
        liked: bool,
        weight: float,
        at_ms: int,
        expected: Expected = NOTHING_EXPECTED,
        only: Collection[int] = (),
    ) -> tuple[Own, float]:
        """Learn that an answer served with `slots` was liked or not.

        Return what was believed before, and the chance of a like, 0–1, that was predicted.

        `weight` is 0–1. `expected` is what the population's belief says of the answer (`Prior.expect`). `only` narrows
        learning to some facets: then the bias stays as it is, too.
        """
        own = self.own(slots)
        sign = 1.0 if liked else -1.0
        variance = expected.variance + own.variance
        scale = sqrt(variance)
        gain, shrink = corrections(sign * (expected.mean + own.mean) / scale)
        mean_step, variance_step = weight * sign * gain / scale, weight * shrink / variance
        means, variances, catalogue = self.means, self.variances, self.catalogue
        facet_of, places, shapes = catalogue.slot_facets, catalogue.slot_places, catalogue.slot_shapes
        slopes = len(shapes)
        for slot in slots:
            facet = facet_of[slot]
            if only and facet not in only:
                continue
            v = variances[slot]
            means[slot] = KEPT * (means[slot] + v * mean_step)
            variances[slot] = _KEPT_VARIANCE * v * (1.0 - v * variance_step) + _VALUE_REGAINED[shapes[slot]]
            place = places[slot]
            if place:
                slope = slopes + facet
                v = variances[slope]
                means[slope] = KEPT * (means[slope] + place * v * mean_step)
                variances[slope] = (
                    _KEPT_VARIANCE * v * (1.0 - place * place * v * variance_step) + _REGAINED * SLOPE_VARIANCE
                )
        if not only:
            v = variances[-1]
            means[-1] = KEPT * (means[-1] + v * mean_step)
            variances[-1] = _KEPT_VARIANCE * v * (1.0 - v * variance_step) + _REGAINED * BIAS_VARIANCE
        z = expected.trusted(own) / scale
        p = normal_cdf(z)
        self._watch(own, expected, sign / scale, z * sign, p if liked else 1.0 - p, at_ms, only)
        return own, p

    def learn_feedback(self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior) -> Learned:
        """Learn from an answer that was served with `o.slots` and got this feedback."""
        expected = prior.expect(o.slots, o.topic, o.surface, o.item, self.feedback_count)
        directed: Sequence[DirectedFeedback] = ()
        facets: Collection[int]
        if kind.label is None:
            own = self.own(o.slots)
            p = expected.chance(own)
            directed = list(self._learn_directed(o, kind, weight, prior))
            facets = [self.catalogue.slot_facets[comparison.served] for comparison in directed]
        else:
            own, p = self.learn(o.slots, kind.label, weight, o.at_ms, expected, o.facets)
            facets = [facet for facet in own.shares if facet in o.facets] if o.facets else own.shares.keys()
        if facets:
            self.population = prior.number
            self.feedback_count = min(self.feedback_count + 1, MAX_FEEDBACK_COUNT)
            self._add_evidence(facets, o.feedback, weight)
        return Learned(facets, p, own, directed)

    def _learn_directed(
        self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior
    ) -> Iterator[DirectedFeedback]:
        """Learn from directed feedback: the next value that way is liked better than the one that was served."""
        catalogue = self.catalogue
        for move in kind.moves.items():
            facet, next_slots = catalogue.facet_index[move[0]], catalogue.next_slots[move]
            if o.facets and facet not in o.facets:
                continue
            for slot in o.slots:
                preferred = next_slots.get(slot)
                if preferred is not None:
                    expected = prior.compare(preferred, slot, o.topic, o.surface)
                    yield self._learn_comparison(slot, preferred, weight, o.at_ms, expected)

    def _learn_comparison(
        self, served: int, preferred: int, weight: float, at_ms: int, expected: Expected
    ) -> DirectedFeedback:
        catalogue, means, variances = self.catalogue, self.means, self.variances
        facet, places = catalogue.slot_facets[served], catalogue.slot_places
        step, slope = places[preferred] - places[served], len(catalogue.slots) + facet
        mean, own_variance = self.difference(preferred, served)
        own = Own(mean, own_variance, 0.0, {facet: mean})
        variance = expected.variance + own.variance
        scale = sqrt(variance)
        gain, shrink = corrections((expected.mean + mean) / scale)
        mean_step, variance_step = weight * gain / scale, weight * shrink / variance
        for term, x, prior_variance in (
            (preferred, 1.0, VALUE_VARIANCES[Shape.ORDERED]),
            (served, -1.0, VALUE_VARIANCES[Shape.ORDERED]),
            (slope, step, SLOPE_VARIANCE),
        ):
            v = variances[term]
            means[term] = KEPT * (means[term] + x * v * mean_step)
            variances[term] = _KEPT_VARIANCE * v * (1.0 - x * x * v * variance_step) + _REGAINED * prior_variance
        z = expected.trusted(own) / scale
        self._watch(own, expected, 1.0 / scale, z, normal_cdf(z), at_ms)
        return DirectedFeedback(served, preferred, mean, own.variance)

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

    def _watch(
        self,
        own: Own,
        expected: Expected,
        per_mean: float,
        z: float,
        holds: float,
        at_ms: int,
        only: Collection[int] = (),
    ) -> None:
        """Add the log likelihood ratio of "reversed" to "holds" to the sums of the facets that were judged.

        `z` is how much the judgement was expected, in standard deviations, `holds` how likely it was, and `per_mean`
        makes the one of a mean: positive for a like, negative for a dislike.
        """
        sums, trust, doubled, most = self.drift_sums, expected.factors.own, 2.0 * per_mean, drift.MAX_AT_ONCE
        least = drift.MIN_LIKELIHOOD
        holds = max(holds, least)
        for facet, share in own.shares.items():
            if not share or (only and facet not in only):
                continue
            reversed_ = normal_cdf(z - doubled * trust[facet].mean * share)
            ratio = log((reversed_ if reversed_ > least else least) / holds)
            total = sums[facet] + (ratio if ratio < most else most)
            if total <= drift.THRESHOLD:
                sums[facet] = total if total > 0.0 else 0.0
            else:
                self._flag(facet, at_ms)

    def _flag(self, facet: int, at_ms: int) -> None:
        """Begin anew with a facet, or nearly."""
        catalogue = self.catalogue
        self.drift_sums[facet] = 0.0
        self.drift_at_s[facet] = at_ms // 1000
        self.fresh[facet] = 0
        for slot in catalogue.facet_slots[facet]:
            self._unlearn(slot, VALUE_VARIANCES[catalogue.slot_shapes[slot]])
        self._unlearn(len(catalogue.slots) + facet, SLOPE_VARIANCE)

    def _unlearn(self, term: int, prior_variance: float) -> None:
        self.means[term] *= drift.MEAN_KEPT
        self.variances[term] += drift.VARIANCE_REGAINED * (prior_variance - self.variances[term])

    def learn_one(self, x: dict[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Learn from one answer, as River calls it; there is no event time, so a drift is stamped 0."""
        self.learn(self._slots(x), bool(y), w, at_ms=0)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[base.typing.ClfTarget, float]:
        """Return the probability of a like and of a dislike of one answer."""
        own = self.own(self._slots(x))
        p = normal_cdf(own.mean / sqrt(NOISE_VARIANCE + own.variance))
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
