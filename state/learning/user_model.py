"""Online training of a user's preferences with feedback.

Microsoft's adPredictor (Graepel, Candela, Borchert, Herbrich, "Web-scale Bayesian click-through rate prediction for
sponsored search", ICML 2010): a probit regression with independent Gaussian weights, updated by assumed-density
filtering, with slow forgetting toward the prior. The user model is the upper of two layers: the user's difference
from the population (state.learning.population_prior).

Each prediction adds up three parts: the population's, the lasting beliefs', and a passing one of the mood and of the
effects of the answer's contexts. The training of a part takes the others as given.
"""

import math
from collections.abc import Collection, Sequence

from state.catalogue.numbered import NumberedCatalogue, Shape
from state.events.observation import Observation
from state.learning.answer_part import AnswerPart
from state.learning.example import DirectedFeedback
from state.learning.feedback_piece import Form, Piece
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.prediction import NO_POPULATION, PopulationPart, UserPart
from state.learning.probit import gain, shrink
from state.learning.terms import BIAS_VARIANCE, SLOPE_VARIANCE, VALUE_VARIANCES
from state.row.row import Row
from tacit.contract.catalogue import FeedbackKind

KEPT = 0.995
"""Share ρ of a mean that survives an update; the variance returns toward the prior alike."""
MAX_FEEDBACK_COUNT = 255
MODEL_VERSION = 3
"""Raised with every change that gives other beliefs after the same events; signals carry it."""

_KEPT = KEPT
_KEPT_VARIANCE = KEPT * KEPT
_REGAINED = 1 - _KEPT_VARIANCE
_ORDERED_REGAINED = _REGAINED * VALUE_VARIANCES[Shape.ORDERED]
_SLOPE_REGAINED = _REGAINED * SLOPE_VARIANCE
_BIAS_REGAINED = _REGAINED * BIAS_VARIANCE
_MAX_FEEDBACK_COUNT, _MOST_NUMBER = MAX_FEEDBACK_COUNT, 2**32 - 1
_LIKE, _DISLIKE = int(Form.LIKE), int(Form.DISLIKE)
_PREFERS_LOWER, _PREFERS_HIGHER = int(Form.PREFERS_LOWER), int(Form.PREFERS_HIGHER)


class Learned:
    """The result of training with a piece of feedback."""

    def __init__(self, part: AnswerPart, p: float, rows: list[int], opened: list[int]) -> None:
        """Begin with the prediction before the training."""
        self.p = p
        """Chance of a like."""
        self.mean = part.mean
        self.variance = part.variance
        self.bias = part.bias
        self.shares = part.by_facet()
        self.rows = rows
        """Rows of the answer's contexts (state.learning.context_effects)."""
        self.opened = opened
        """Rows that are new."""
        self.facets: list[int] = []
        """Facets with changed beliefs."""
        self.directed: list[DirectedFeedback] = []

    @property
    def own(self) -> UserPart:
        """User model's part of the prediction."""
        return UserPart(self.mean, self.variance, self.bias, self.shares)


class UserModel(OwnBeliefs):
    """The user model of the present row."""

    def __init__(self, row: Row, catalogue: NumberedCatalogue) -> None:
        super().__init__(row, catalogue)
        self.part = AnswerPart(self.terms)
        self._topic_keys, self._surface_keys = catalogue.topic_keys, catalogue.surface_keys

    # Feedback

    def learn_feedback(self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior) -> Learned:
        """Train with feedback on an answer that was served with `o.slots`; `weight` is 0–1."""
        row, at, part = self.row, self.row.at, self.part
        mean, variance = prior.answer(o.slots, o.topic, o.surface, o.item, row.feedback_count[at])
        self.mood.move_to(o.at_ms)
        part.serve(o.slots, o.facets)
        contexts = self.keys_of(o.topic, o.surface)
        rows, opened = self.contexts.open(contexts) if self._trains(o, kind) else (self.contexts.find(contexts), [])
        self._predict(rows)
        learned = Learned(part, part.chance(mean, variance, prior.table), rows, opened)
        if kind.label is None:
            learned.directed = self._learn_directed(o, kind, weight, prior, rows)
            learned.facets = [self.catalogue.slot_facets[compared.served] for compared in learned.directed]
        else:
            self._learn_label(o, kind.label, weight, mean, variance, rows)
            learned.facets = part.trained_facets()
        if learned.facets:
            row.population[at] = min(prior.number, _MOST_NUMBER)
            self._count_feedback()
        return learned

    def _count_feedback(self) -> None:
        row, at = self.row, self.row.at
        row.feedback_count[at] = min(row.feedback_count[at] + 1, _MAX_FEEDBACK_COUNT)

    def keys_of(self, topic: int, surface: int) -> list[int]:
        """Return the contexts of an answer, the topic before the surface."""
        keys, topic_key, surface_key = [], self._topic_keys.get(topic), self._surface_keys.get(surface)
        if topic_key is not None:
            keys.append(topic_key)
        if surface_key is not None:
            keys.append(surface_key)
        return keys

    def _trains(self, o: Observation, kind: FeedbackKind) -> bool:
        """Return whether feedback trains a facet: one that was served, and that has a next value in the direction."""
        if kind.label is not None:
            return self.part.trains()
        for move in kind.moves.items():
            following = self.catalogue.next_slots[move]
            for slot in o.slots:
                if slot in following and self.part.is_trained[self.terms.facet_of[slot]]:
                    return True
        return False

    # Prediction

    def own(self, slots: Sequence[int]) -> UserPart:
        """Return the lasting part of the user model's prediction for an answer in the given style."""
        self.part.serve(slots, ())
        self._predict_lasting()
        return self.part.part()

    def present(self, slots: Sequence[int], rows: Sequence[int] = ()) -> UserPart:
        """Return the whole part of a prediction: with the mood, and the effects of the rows of contexts."""
        self.part.serve(slots, ())
        self._predict(list(rows))
        return self.part.part()

    def effects(self, slots: Sequence[int], rows: Sequence[int]) -> dict[int, float]:
        """Return facet → the effects of the rows of contexts on an answer."""
        self.part.serve(slots, ())
        self.contexts.add_to(self.part, list(rows))
        return self.part.by_facet()

    def _predict(self, rows: list[int]) -> None:
        row, at, part = self.row, self.row.at, self.part
        self._predict_lasting()
        part.mean += float(row.mood[at])
        part.variance += float(row.mood_variance[at])
        part.bias += float(row.mood[at])
        self.contexts.add_to(part, rows)

    def _predict_lasting(self) -> None:
        row, at, part = self.row, self.row.at, self.part
        mean, variance = float(row.bias[at]), float(row.bias_variance[at])
        part.bias = mean
        for index in range(part.count):
            slot = part.slots[index]
            facet, place = self.terms.facet_of[slot], self.terms.places[slot]
            share = float(row.means[at, slot])
            variance += float(row.variances[at, slot])
            if place:
                share += place * float(row.slopes[at, facet])
                variance += place * place * float(row.slope_variances[at, facet])
            mean += share
            part.shares[facet] += share
        part.lasting_mean = part.mean = mean
        part.lasting_variance = part.variance = variance

    # Likes and dislikes

    def _learn_label(
        self, o: Observation, liked: bool, weight: float, mean: float, variance: float, rows: list[int]
    ) -> None:
        """Train with a like or dislike of the answer in `part`, given the population's part of the prediction."""
        part = self.part
        mean = mean + part.mean - part.lasting_mean
        variance = variance + part.variance - part.lasting_variance
        mean_step, variance_step = self._learn_lasting(liked, weight, mean, variance)
        if not part.is_narrowed:
            self.mood.update(mean_step, variance_step)
        if part.trains():
            self.contexts.update(part, rows, mean_step, weight)
        if part.trains() or not part.is_narrowed:
            self.log.add(o.at_ms, o.feedback, _LIKE if liked else _DISLIKE, weight, mean, variance, o.slots, o.facets)

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
        self.part.serve(slots, only)
        self._predict_lasting()
        own = self.part.part()
        self._learn_lasting(liked, weight, expected.mean, expected.variance)
        return own, expected.chance(own)

    def _learn_lasting(self, liked: bool, weight: float, mean: float, variance: float) -> tuple[float, float]:
        """Train the lasting beliefs, and return the steps of mean and variance per unit of variance.

        `mean` and `variance` are those of all other parts of the prediction.
        """
        sign = 1.0 if liked else -1.0
        variance = variance + self.part.lasting_variance
        scale = math.sqrt(variance)
        z = sign * (mean + self.part.lasting_mean) / scale
        n = gain(z)
        mean_step, variance_step = weight * sign * n / scale, weight * shrink(z, n) / variance
        self._train(mean_step, variance_step)
        return mean_step, variance_step

    def _train(self, mean_step: float, variance_step: float) -> None:
        row, at, part = self.row, self.row.at, self.part
        for index in range(part.count):
            slot = part.slots[index]
            facet, place = self.terms.facet_of[slot], self.terms.places[slot]
            if not part.is_trained[facet]:
                continue
            self._train_value(slot, 1.0, mean_step, variance_step, _REGAINED * self.terms.variances[slot])
            if place:
                self._train_slope(facet, place, mean_step, variance_step)
        if not part.is_narrowed:
            v = float(row.bias_variance[at])
            row.bias[at] = _KEPT * (float(row.bias[at]) + v * mean_step)
            row.bias_variance[at] = _KEPT_VARIANCE * v * (1.0 - v * variance_step) + _BIAS_REGAINED

    def _train_value(self, slot: int, x: float, mean_step: float, variance_step: float, regained: float) -> None:
        """Train a value that counts by the factor `x`; `regained` is the prior's part of the new variance."""
        row, at = self.row, self.row.at
        v = float(row.variances[at, slot])
        row.means[at, slot] = _KEPT * (float(row.means[at, slot]) + x * v * mean_step)
        row.variances[at, slot] = _KEPT_VARIANCE * v * (1.0 - x * x * v * variance_step) + regained

    def _train_slope(self, facet: int, x: float, mean_step: float, variance_step: float) -> None:
        row, at = self.row, self.row.at
        v = float(row.slope_variances[at, facet])
        row.slopes[at, facet] = _KEPT * (float(row.slopes[at, facet]) + x * v * mean_step)
        row.slope_variances[at, facet] = _KEPT_VARIANCE * v * (1.0 - x * x * v * variance_step) + _SLOPE_REGAINED

    # Directed feedback

    def _learn_directed(
        self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior, rows: list[int]
    ) -> list[DirectedFeedback]:
        """Train with directed feedback: the next value in the direction is liked better than the served value."""
        catalogue, found = self.catalogue, []
        for move in kind.moves.items():
            facet, next_slots = catalogue.facet_index[move[0]], catalogue.next_slots[move]
            if o.facets and facet not in o.facets:
                continue
            for slot in o.slots:
                preferred = next_slots.get(slot)
                if preferred is not None:
                    mean, variance = prior.comparison(preferred, slot, o.topic, o.surface)
                    found.append(self._learn_preferred(o, slot, preferred, weight, mean, variance, rows))
        return found

    def _learn_preferred(
        self, o: Observation, served: int, preferred: int, weight: float, mean: float, variance: float, rows: list[int]
    ) -> DirectedFeedback:
        """Train with a comparison in its contexts; the mood is no part of it."""
        contexts, term = self.contexts, self.terms.effects[preferred]
        step = self.terms.factors[preferred] - self.terms.factors[served]
        effects = variances = 0.0
        for row in rows:  # two at most, of which a plain sum is rounded once
            effects += contexts.effect(row, term)
            variances += contexts.variance(row)
        mean, variance = mean + step * effects, variance + step * step * variances
        compared = DirectedFeedback(
            served, preferred, self.mean_difference(preferred, served), self.variance_difference(preferred, served)
        )
        mean_step = self._learn_comparison(served, preferred, weight, mean, variance)
        for row in rows:
            contexts.move(row, term, step, contexts.step(row, mean_step))
            contexts.weigh(row, weight)
        form = _PREFERS_HIGHER if preferred > served else _PREFERS_LOWER
        self.log.add(o.at_ms, o.feedback, form, weight, mean, variance, (served, preferred), ())
        return compared

    def _learn_comparison(self, served: int, preferred: int, weight: float, mean: float, variance: float) -> float:
        """Train the lasting beliefs with a comparison; return the step of means per unit of variance."""
        step = self.terms.places[preferred] - self.terms.places[served]
        variance = variance + self.variance_difference(preferred, served)
        scale = math.sqrt(variance)
        z = (mean + self.mean_difference(preferred, served)) / scale
        n = gain(z)
        mean_step, variance_step = weight * n / scale, weight * shrink(z, n) / variance
        self._train_value(preferred, 1.0, mean_step, variance_step, _ORDERED_REGAINED)
        self._train_value(served, -1.0, mean_step, variance_step, _ORDERED_REGAINED)
        self._train_slope(self.terms.facet_of[served], step, mean_step, variance_step)
        return mean_step

    # Log

    def retrain(self, piece: Piece) -> None:
        """Train with a piece of a log of feedback."""
        pieces = self.log.pieces
        earlier = pieces[len(pieces) - 1] if pieces else None
        if piece.is_directed:
            preferred, served = piece.compared
            self._learn_comparison(served, preferred, piece.weight, piece.mean, piece.variance)
        else:
            self.part.serve(piece.slots, piece.only)
            self._predict_lasting()
            self._learn_lasting(piece.form is Form.LIKE, piece.weight, piece.mean, piece.variance)
        self.log.add(
            piece.at_ms, piece.kind, piece.form, piece.weight, piece.mean, piece.variance, piece.slots, piece.only
        )
        if not piece.continues(earlier, self.catalogue.slot_facets):
            self._count_feedback()
