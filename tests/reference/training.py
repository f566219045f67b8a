"""Training of the beliefs about a user with a piece of feedback."""

from collections.abc import Collection, Iterator, Sequence
from math import fsum, sqrt
from typing import NamedTuple

from state.events.observation import Observation
from state.learning.population_prior import Prior
from state.learning.probit import corrections, normal_cdf
from tacit.contract.catalogue import FeedbackKind
from tests.reference.beliefs import OwnBeliefs, Part, UserPart
from tests.reference.contexts import UNIT
from tests.reference.evidence import DISLIKE, LIKE, PREFERS_HIGHER, PREFERS_LOWER
from tests.reference.rounding import f32

KEPT = 0.995
MAX_FEEDBACK_COUNT = 255


class Directed(NamedTuple):
    """Directed feedback on one facet, with the belief before the update."""

    served: int
    preferred: int
    mean: float
    variance: float


class Learned(NamedTuple):
    """The result of training with a piece of feedback; `own` and `p` are from before."""

    facets: Sequence[int]
    p: float
    own: UserPart
    directed: Sequence[Directed]
    rows: Sequence[int]
    """Rows of the answer's contexts."""
    opened: Sequence[int]
    """Those that are new."""


class Preferences(OwnBeliefs):
    """The beliefs about a user, which feedback trains."""

    def learn(self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior) -> Learned:
        """Train with feedback on an answer that was served with `o.slots`."""
        expected = prior.expect(o.slots, o.topic, o.surface, o.item, self.feedback_count)
        self.mood.move_to(o.at_ms)
        contexts = self.keys_of(o.topic, o.surface)
        rows, opened = self.contexts.open(contexts) if self._trains(o, kind) else (self.contexts.find(contexts), [])
        lasting = self.lasting(o.slots)
        own = self.present(lasting, o.slots, rows)
        directed: list[Directed] = []
        if kind.label is None:
            directed = list(self._learn_directed(o, kind, weight, prior, rows))
            facets = [self.catalogue.slot_facets[comparison.served] for comparison in directed]
        else:
            passing = Part(expected.mean + own.mean - lasting.mean, expected.variance + own.variance - lasting.variance)
            self._learn_label(o, kind.label, weight, passing, lasting, rows)
            facets = [facet for facet in own.shares if not o.facets or facet in o.facets]
        if facets:
            self.population = prior.number
            self.feedback_count = min(self.feedback_count + 1, MAX_FEEDBACK_COUNT)
        factors = expected.factors
        mean = factors.offset + factors.population * expected.mean + factors.bias * own.bias
        for facet, share in own.shares.items():
            mean += factors.own[facet].mean * share
        p = normal_cdf(mean / sqrt(expected.variance + own.variance))
        return Learned(facets, p, own, directed, rows, opened)

    def _trains(self, o: Observation, kind: FeedbackKind) -> bool:
        """Return whether feedback trains a facet, so that its contexts get rows."""
        slots = [slot for slot in o.slots if not o.facets or self.catalogue.slot_facets[slot] in o.facets]
        if kind.label is not None:
            return bool(slots)
        return any(slot in self.catalogue.next_slots[move] for move in kind.moves.items() for slot in slots)

    def _learn_label(
        self, o: Observation, liked: bool, weight: float, passing: Part, lasting: UserPart, rows: Sequence[int]
    ) -> None:
        """Train with a like or dislike; `passing` are all parts of its prediction but the lasting one."""
        only, facet_of = o.facets, self.catalogue.slot_facets
        sign, variance = 1.0 if liked else -1.0, passing.variance + lasting.variance
        scale = sqrt(variance)
        gain, shrink = corrections(sign * (passing.mean + lasting.mean) / scale)
        mean_step, variance_step = weight * sign * gain / scale, weight * shrink / variance
        trained = [slot for slot in o.slots if not only or facet_of[slot] in only]
        for slot in trained:
            self._move(slot, 1.0, mean_step, variance_step)
            if place := self.catalogue.slot_places[slot]:
                self._move(self.slopes + facet_of[slot], place, mean_step, variance_step)
        if not only:
            self._move(len(self.means) - 1, 1.0, mean_step, variance_step)
            self.mood.update(mean_step, variance_step)
        if trained:
            self.contexts.update(rows, [self.catalogue.context_terms[slot] for slot in trained], mean_step, weight)
        if trained or not only:
            self._log(o, LIKE if liked else DISLIKE, weight, passing, o.slots, only)

    def _move(self, term: int, x: float, mean_step: float, variance_step: float) -> None:
        """Update a belief with the steps of a piece per unit of variance, and let it return toward the prior."""
        v, kept = self.variances[term], KEPT * KEPT
        self.means[term] = f32(KEPT * (self.means[term] + x * v * mean_step))
        self.variances[term] = f32(kept * v * (1.0 - x * x * v * variance_step) + (1 - kept) * self.priors[term])

    def _learn_directed(
        self, o: Observation, kind: FeedbackKind, weight: float, prior: Prior, rows: Sequence[int]
    ) -> Iterator[Directed]:
        """Train with directed feedback: the next value in the direction is liked better than the served value."""
        for name, direction in kind.moves.items():
            if o.facets and self.catalogue.facet_index[name] not in o.facets:
                continue
            following = self.catalogue.next_slots[name, direction]
            for slot in o.slots:
                if slot in following:
                    yield self._learn_preferred(o, slot, following[slot], weight, prior, rows)

    def _learn_preferred(
        self, o: Observation, served: int, preferred: int, weight: float, prior: Prior, rows: Sequence[int]
    ) -> Directed:
        """Train with a comparison of two values of an ordered facet; the mood is no part of it."""
        terms, places = self.catalogue.context_terms, self.catalogue.slot_places
        expected = prior.compare(preferred, served, o.topic, o.surface)
        (term, place), (_, other) = terms[preferred], terms[served]
        passing = Part(
            expected.mean + (place - other) * fsum(self.contexts.effects[row][term] * UNIT for row in rows),
            expected.variance + (place - other) * (place - other) * fsum(map(self.contexts.variance, rows)),
        )
        mean, own_variance = self.difference(preferred, served)
        variance = passing.variance + own_variance
        scale = sqrt(variance)
        gain, shrink = corrections((passing.mean + mean) / scale)
        mean_step, variance_step = weight * gain / scale, weight * shrink / variance
        self._move(preferred, 1.0, mean_step, variance_step)
        self._move(served, -1.0, mean_step, variance_step)
        slope = self.slopes + self.catalogue.slot_facets[served]
        self._move(slope, places[preferred] - places[served], mean_step, variance_step)
        self.contexts.update(rows, [(term, place - other)], mean_step, weight)
        form = PREFERS_HIGHER if preferred > served else PREFERS_LOWER
        self._log(o, form, weight, passing, (served, preferred), ())
        return Directed(served, preferred, mean, own_variance)

    def _log(
        self, o: Observation, form: int, weight: float, passing: Part, slots: Collection[int], only: Collection[int]
    ) -> None:
        facet_of = self.catalogue.slot_facets
        self.log.add(o.at_ms, o.feedback, form, weight, passing.mean, passing.variance, only, slots, facet_of)
