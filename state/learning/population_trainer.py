"""Learns what is believed of everybody from consenting people's judgements, and publishes it version by version."""

from array import array
from collections.abc import Iterable
from zlib import crc32

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.learning.example import Example
from state.learning.features import BIAS, Features
from state.learning.population_model import PopulationModel
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion, PopulationWrite, Scores
from state.learning.prediction import NOISE_VARIANCE, Expected
from state.learning.preferences import MODEL_VERSION
from state.learning.scoring import Scoring
from state.learning.signals import population_write
from state.learning.stacking import OFFSET, OWN_BIAS, POPULATION, Stacking, own_part

LAYOUT = 1
"""First byte of a packed learner."""


class _Packed(msgspec.Struct, array_like=True):
    """All that a learner goes on with; by names, so that any catalogue can."""

    number: int
    examples: int
    unpublished: int
    at_ms: int
    beliefs: dict[str, Gaussian]
    public: list[str]
    contributors: dict[str, bytes]
    trust: dict[str, Gaussian]
    gains: dict[str, tuple[float, float, int]]


_encode_packed = msgspec.msgpack.Encoder().encode
_decode_packed = msgspec.msgpack.Decoder(_Packed).decode


class PopulationTrainer:
    """The population's belief as it grows; one for all people of a run."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self._catalogue = catalogue
        self._terms = Features(catalogue)
        self._population = PopulationModel()
        self._trust = Stacking()
        self._own_parts = [own_part(name) for name in catalogue.facet_names]
        self.scoring = Scoring(catalogue)
        self._prior = Prior(catalogue)
        """The version that was published last."""
        self._examples = 0
        self._at_ms = 0
        self.unpublished = 0
        """Examples since the last version."""
        self.number = 0
        """Of the last version; 0: none was published."""
        self.scores: Scores | None = None
        """As they were published last."""

    @property
    def prior(self) -> Prior:
        """The last version, to be computed with."""
        return self._prior

    def begin_with(self, version: PopulationVersion) -> None:
        """Begin with what a version tells; for a learner that has learned nothing yet."""
        self._population.restore(version.terms)
        self._trust = Stacking(version.trust)
        self._examples, self._at_ms = version.examples, version.at
        self.go_on_under(version)

    def go_on_under(self, version: PopulationVersion) -> None:
        """Take a published version as the last one, unless there is a newer one; what was learned stays as it is."""
        if version.n > self._prior.number:
            self._prior = Prior(self._catalogue, version)
            self.number = max(self.number, version.n)

    def learn(self, e: Example) -> None:
        """Score an example, then learn from it."""
        expected = self._prior.expect(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        self.scoring.add(e, expected, self._prior.by_facet(e.slots, e.topic, e.surface, e.shares))
        self._learn_trust(e, expected)
        person = crc32(e.user)
        for comparison in e.directed:
            preferred = self._terms.of_value(comparison.preferred, e.topic, e.surface)
            served = self._terms.of_value(comparison.served, e.topic, e.surface)
            self._population.learn(
                preferred, True, e.weight, (comparison.mean, NOISE_VARIANCE + comparison.variance), served
            )
            self._population.contributed(preferred + served, person)
        if not e.directed:
            self._learn_judgement(e, person)
        self._examples += 1
        self.unpublished += 1
        self._at_ms = max(self._at_ms, e.at_ms)

    def _learn_judgement(self, e: Example, person: int) -> None:
        terms = self._terms.of_answer(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        mean, variance = e.own.mean, NOISE_VARIANCE + e.variance
        if e.only:
            facets = self._catalogue.slot_facets
            slots = [slot for slot in e.slots if facets[slot] in e.only]
            learned = list(self._terms.of_values(slots, e.topic, e.surface))
            others = self._population.expect([term for term in terms if term not in learned])
            terms, mean, variance = learned, mean + others[0], variance + others[1]
        self._population.learn(terms, e.liked, e.weight, (mean, variance))
        self._population.contributed(terms, person)

    def _learn_trust(self, e: Example, expected: Expected) -> None:
        parts = {OFFSET: 1.0, POPULATION: expected.mean, OWN_BIAS: e.bias}
        for facet, share in e.shares.items():
            parts[self._own_parts[facet]] = share
        self._trust.learn(parts, expected.variance + e.variance, e.liked)

    def publish(self, number: int) -> PopulationWrite:
        """Return a new version under that number, which becomes `prior`."""
        terms = self._population.published()
        facets = {term.partition("=")[0] for term in terms if "=" in term and "&" not in term}
        version = PopulationVersion(
            n=number,
            model=MODEL_VERSION,
            at=self._at_ms,
            examples=self._examples,
            terms=terms,
            trust=self._published_trust(facets, BIAS in terms),
            silent=tuple([name for name in self.scoring.silent() if name in facets]),
            scores=self.scoring.scores(facets) if BIAS in terms else None,
        )
        self._prior = Prior(self._catalogue, version)
        self.scores = version.scores
        self.number = number
        self.unpublished = 0
        return population_write(self._prior, version)

    def _published_trust(self, facets: Iterable[str], is_public: bool) -> dict[str, Gaussian]:
        """Return the factors of parts to which enough people have contributed."""
        public = {own_part(name) for name in facets}
        public |= {OFFSET, POPULATION, OWN_BIAS} if is_public else set()
        return {
            part: Gaussian(round(factor.mean, 6), round(factor.variance, 6))
            for part, factor in sorted(self._trust.factors.items())
            if part in public
        }

    def pack(self) -> bytes:
        """Return all that is known, as bytes."""
        population = self._population
        packed = _Packed(
            self.number,
            self._examples,
            self.unpublished,
            self._at_ms,
            {term: population.belief(term) for term in population.means},
            sorted(population.public),
            {term: people.tobytes() for term, people in population.contributors.items()},
            self._trust.factors,
            {name: (gain.gain, gain.part, gain.n) for name, gain in self.scoring.gains.items()},
        )
        return bytes([LAYOUT]) + _encode_packed(packed)

    @classmethod
    def unpack(cls, data: bytes, catalogue: NumberedCatalogue) -> "PopulationTrainer":
        """Return what `pack` packed.

        The version that was published last is not part of it, but its number is: `go_on_under` has it.

        Raises:
            StateError: if the bytes are of another layout, or damaged.
        """
        if data[:1] != bytes([LAYOUT]):
            raise StateError(
                f"the population's state has layout {data[0] if data else 'none'}; this version reads {LAYOUT}: "
                "use the version that wrote it, or replay history into a new state folder"
            )
        try:
            packed = _decode_packed(data[1:])
        except msgspec.MsgspecError as error:
            raise StateError(f"the population's state is damaged: {error}; restore the state folder") from error
        learner = cls(catalogue)
        population = learner._population
        for term, (mean, variance) in packed.beliefs.items():
            population.means[term], population.variances[term] = mean, variance
        population.public = set(packed.public)
        population.contributors = {term: array("I", people) for term, people in packed.contributors.items()}
        learner._trust = Stacking(packed.trust)
        learner.scoring = Scoring(catalogue, packed.gains)
        learner._examples, learner._at_ms = packed.examples, packed.at_ms
        learner.number, learner.unpublished = packed.number, packed.unpublished
        return learner
