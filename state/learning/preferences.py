"""Online training of a user's preferences with feedback.

Microsoft's adPredictor (Graepel, Candela, Borchert, Herbrich, "Web-scale Bayesian click-through rate prediction for
sponsored search", ICML 2010): a probit regression with independent Gaussian weights, updated by assumed-density
filtering, with slow forgetting toward the prior. The user model is the upper of two layers: the user's difference
from the population (state.learning.population_prior).
"""

from collections.abc import Collection, Iterator, Sequence
from math import fsum, sqrt
from typing import Any, NamedTuple

from river import base

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.events.observation import Observation
from state.learning.context_effects import UNIT
from state.learning.example import DirectedFeedback
from state.learning.feedback_piece import Form, Piece
from state.learning.own_beliefs import BIAS_VARIANCE, SLOPE_VARIANCE, VALUE_VARIANCES, OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.prediction import NEUTRAL_FACTORS, NO_POPULATION, NOISE_VARIANCE, PopulationPart, UserPart
from state.learning.probit import corrections, normal_cdf
from tacit.contract.catalogue import FeedbackKind

KEPT = 0.995
"""Share ρ of a mean that survives an update; the variance returns toward the prior alike."""
MODEL_VERSION = 3
"""Raised with every change that gives other beliefs after the same events; signals carry it."""
MAX_FEEDBACK_COUNT = 255

_EXAMPLE = """
schema = 1
[facets.length]
title = "Answer length"
values = ["concise", "balanced", "detailed"]
ordered = true
"""
"""A catalogue with one facet, for River's checks of estimators and for doctests."""
_KEPT_VARIANCE = KEPT * KEPT
_REGAINED = 1 - _KEPT_VARIANCE
_VALUE_REGAINED = tuple(_REGAINED * VALUE_VARIANCES[shape] for shape in Shape)
_LIKE, _DISLIKE = int(Form.LIKE), int(Form.DISLIKE)


class Learned(NamedTuple):
    """The result of training with a piece of feedback."""

    facets: Collection[int]
    """Facets with changed beliefs."""
    p: float
    """Chance of a like that was predicted before."""
    own: UserPart
    """The user model's part of that prediction."""
    directed: Sequence[DirectedFeedback]
    rows: Sequence[int]
    """Rows of the answer's contexts (state.learning.context_effects)."""
    opened: Sequence[int]
    """Rows that are new."""


class Preferences(OwnBeliefs, base.Classifier):
    """The preferences of a user: a River classifier over a catalogue's slots.

    The hot path trains with slots (`learn_feedback`). `learn_one` and `predict_proba_one` take the served style as a
    dict of facet → value or values, so River's metrics, `evaluate` and pipelines work on the class; without a
    population. Names outside the catalogue are ignored.

    >>> catalogue = NumberedCatalogue.parse('''
    ... schema = 1
    ... [facets.length]
    ... title = "Answer length"
    ... values = ["concise", "balanced", "detailed"]
    ... ordered = true
    ... ''')
    >>> model = Preferences(catalogue)
    >>> for _ in range(20):
    ...     model.learn_one({"length": "concise"}, True)
    ...     model.learn_one({"length": "detailed"}, False)
    >>> round(model.predict_proba_one({"length": "concise"})[True], 2)
    0.9
    >>> round(model.predict_proba_one({"length": "detailed"})[True], 2)
    0.1
    """

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        super().__init__(catalogue)

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"catalogue": NumberedCatalogue.parse(_EXAMPLE)}

    def own(self, slots: Sequence[int]) -> UserPart:
        """Return the lasting part of the user model's prediction for an answer in the given style."""
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
        return UserPart(mean, variance, bias, shares)

    def present(self, lasting: UserPart, slots: Sequence[int], rows: Sequence[int] = ()) -> UserPart:
        """Add the mood and the effects of the rows of contexts to the lasting part (`own`) of a prediction."""
        mean, variance, bias, shares = lasting
        mood, mood_variance = self.mood.belief
        mean, variance = mean + mood, variance + mood_variance
        if rows:
            catalogue, shares = self.catalogue, shares.copy()
            found = self.contexts.add_to(shares, rows, slots, catalogue.slot_facets, catalogue.context_terms)
            mean, variance = mean + found[0], variance + found[1]
        return UserPart(mean, variance, bias + mood, shares)

    def learn_feedback(self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior) -> Learned:
        """Train with feedback on an answer that was served with `o.slots`; `weight` is 0–1."""
        expected = prior.expect(o.slots, o.topic, o.surface, o.item, self.feedback_count)
        self.mood.move_to(o.at_ms)
        contexts = self.keys_of(o.topic, o.surface)
        rows, opened = self.contexts.open(contexts) if self._trains(o, kind) else (self.contexts.find(contexts), ())
        lasting = self.own(o.slots)
        own = self.present(lasting, o.slots, rows)
        directed: Sequence[DirectedFeedback] = ()
        facets: Collection[int]
        if kind.label is None:
            directed = list(self._learn_directed(o, kind, weight, prior, rows))
            facets = [self.catalogue.slot_facets[comparison.served] for comparison in directed]
        else:
            self._learn_label(o, kind.label, weight, expected, own, lasting, rows)
            facets = [facet for facet in own.shares if facet in o.facets] if o.facets else own.shares.keys()
        if facets:
            self.population = prior.number
            self.feedback_count = min(self.feedback_count + 1, MAX_FEEDBACK_COUNT)
        return Learned(facets, expected.chance(own), own, directed, rows, opened)

    def _trains(self, o: Observation, kind: FeedbackKind) -> bool:
        """Return whether feedback trains a facet: one that was served, and that has a next value in the direction."""
        facet_of, only = self.catalogue.slot_facets, o.facets
        slots = [slot for slot in o.slots if facet_of[slot] in only] if only else o.slots
        if kind.label is not None:
            return bool(slots)
        following = [self.catalogue.next_slots[move] for move in kind.moves.items()]
        return any(slot in after for after in following for slot in slots)

    def keys_of(self, topic: int, surface: int) -> list[int]:
        """Return the contexts of an answer, the topic before the surface."""
        catalogue = self.catalogue
        keys = catalogue.topic_keys.get(topic), catalogue.surface_keys.get(surface)
        return [key for key in keys if key is not None]

    def _learn_label(
        self,
        o: Observation,
        liked: bool,
        weight: float,
        expected: PopulationPart,
        own: UserPart,
        lasting: UserPart,
        rows: Sequence[int],
    ) -> None:
        """Train with a like or dislike, which was predicted with `own`, of which `lasting` is the lasting part."""
        only = o.facets
        passing = PopulationPart(
            expected.mean + own.mean - lasting.mean, expected.variance + own.variance - lasting.variance,
            expected.factors
        )  # fmt: skip
        mean_step, variance_step = self._learn_lasting(o.slots, liked, weight, passing, lasting, only)
        if not only:
            self.mood.update(mean_step, variance_step)
        facet_of, terms = self.catalogue.slot_facets, self.catalogue.context_terms
        if rows:
            moved = [terms[slot] for slot in o.slots if not only or facet_of[slot] in only]
            if moved:
                self.contexts.update(rows, moved, mean_step, weight)
        if not only or any(facet in only for facet in own.shares):
            self._log(o.at_ms, o.feedback, _LIKE if liked else _DISLIKE, weight, passing, o.slots, only)

    def learn(
        self,
        slots: Sequence[int],
        liked: bool,
        weight: float,
        expected: PopulationPart = NO_POPULATION,
        only: Collection[int] = (),
    ) -> tuple[UserPart, float]:
        """Train the lasting beliefs with a like or dislike of an answer; return their part before, and the chance.

        Args:
            slots: style of the answer.
            liked: a like, else a dislike.
            weight: 0–1.
            expected: all other parts of the prediction: the population's, and of the user the mood and the contexts'.
            only: facets to train; the bias then stays unchanged, too. Empty: all.
        """
        own = self.own(slots)
        self._learn_lasting(slots, liked, weight, expected, own, only)
        return own, expected.chance(own)

    def _learn_lasting(
        self,
        slots: Sequence[int],
        liked: bool,
        weight: float,
        expected: PopulationPart,
        own: UserPart,
        only: Collection[int],
    ) -> tuple[float, float]:
        """Train the lasting beliefs, and return the steps of mean and variance per unit of variance."""
        sign = 1.0 if liked else -1.0
        variance = expected.variance + own.variance
        scale = sqrt(variance)
        gain, shrink = corrections(sign * (expected.mean + own.mean) / scale)
        mean_step, variance_step = weight * sign * gain / scale, weight * shrink / variance
        self._update(slots, mean_step, variance_step, only)
        return mean_step, variance_step

    def _update(self, slots: Sequence[int], mean_step: float, variance_step: float, only: Collection[int]) -> None:
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

    def _learn_directed(
        self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior, rows: Sequence[int]
    ) -> Iterator[DirectedFeedback]:
        """Train with directed feedback: the next value in the direction is liked better than the served value."""
        catalogue = self.catalogue
        for move in kind.moves.items():
            facet, next_slots = catalogue.facet_index[move[0]], catalogue.next_slots[move]
            if o.facets and facet not in o.facets:
                continue
            for slot in o.slots:
                preferred = next_slots.get(slot)
                if preferred is not None:
                    expected = prior.compare(preferred, slot, o.topic, o.surface)
                    form = Form.PREFERS_HIGHER if preferred > slot else Form.PREFERS_LOWER
                    yield self._learn_preferred(o, slot, preferred, form, weight, expected, rows)

    def _learn_preferred(
        self,
        o: Observation,
        served: int,
        preferred: int,
        form: int,
        weight: float,
        expected: PopulationPart,
        rows: Sequence[int],
    ) -> DirectedFeedback:
        """Train with a comparison in its contexts; the mood is no part of it."""
        (term, place), contexts = self.catalogue.context_terms[preferred], self.contexts
        step = place - self.catalogue.context_terms[served][1]
        effects = [contexts.effects[row * contexts.terms + term] * UNIT for row in rows]
        passing = expected._replace(
            mean=expected.mean + step * fsum(effects),
            variance=expected.variance + step * step * fsum(map(contexts.variance, rows)),
        )
        compared, mean_step = self._learn_comparison(served, preferred, weight, passing)
        contexts.update(rows, [(term, step)], mean_step, weight)
        self._log(o.at_ms, o.feedback, form, weight, passing, (served, preferred), ())
        return compared

    def _learn_comparison(
        self, served: int, preferred: int, weight: float, expected: PopulationPart
    ) -> tuple[DirectedFeedback, float]:
        """Train the lasting beliefs with a comparison; return it with the step of means per unit of variance."""
        catalogue, means, variances = self.catalogue, self.means, self.variances
        facet, places = catalogue.slot_facets[served], catalogue.slot_places
        step, slope = places[preferred] - places[served], len(catalogue.slots) + facet
        mean, own_variance = self.difference(preferred, served)
        variance = expected.variance + own_variance
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
        return DirectedFeedback(served, preferred, mean, own_variance), mean_step

    def _log(
        self,
        at_ms: int,
        kind: int,
        form: int,
        weight: float,
        expected: PopulationPart,
        slots: Sequence[int],
        only: Collection[int],
    ) -> None:
        """Log feedback that has trained the beliefs."""
        self.log.add(at_ms, kind, form, weight, expected, slots, only, self.catalogue.slot_facets)

    def retrain(self, piece: Piece) -> None:
        """Train with a piece of a log of feedback."""
        expected = PopulationPart(piece.mean, piece.variance, NEUTRAL_FACTORS)
        newest = self.log.pieces[-1:]
        if piece.is_directed:
            preferred, served = piece.compared
            self._learn_comparison(served, preferred, piece.weight, expected)
        else:
            self.learn(piece.slots, piece.form is Form.LIKE, piece.weight, expected, piece.only)
        facet_of = self.catalogue.slot_facets
        self._log(piece.at_ms, piece.kind, piece.form, piece.weight, expected, piece.slots, piece.only)
        if not piece.continues(newest[0] if newest else None, facet_of):
            self.feedback_count = min(self.feedback_count + 1, MAX_FEEDBACK_COUNT)

    def copy(self) -> "Preferences":
        """Return an independent copy."""
        twin = Preferences(self.catalogue)
        twin.means, twin.variances, twin.log = self.means[:], self.variances[:], self.log.copy()
        twin.mood, twin.contexts = self.mood.copy(), self.contexts.copy()
        twin.feedback_count, twin.population = self.feedback_count, self.population
        return twin

    def learn_one(self, x: dict[Any, Any], y: base.typing.ClfTarget, w: float = 1.0) -> None:
        """Train the lasting beliefs with an answer, by River's interface."""
        self.learn(self._slots(x), bool(y), w)

    def predict_proba_one(self, x: dict[Any, Any], **_: Any) -> dict[base.typing.ClfTarget, float]:
        """Return the probability of a like and of a dislike of an answer."""
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
