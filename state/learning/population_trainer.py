"""Training of the population model on feedback of consenting users, and its published versions."""

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
from state.learning.prediction import NOISE_VARIANCE, PopulationPart
from state.learning.preferences import MODEL_VERSION
from state.learning.scoring import Scoring
from state.learning.signals import population_write
from state.learning.stacking import OFFSET, OWN_BIAS, POPULATION, Stacking, user_part_name

LAYOUT = 1
"""First byte of a packed trainer."""


class _Packed(msgspec.Struct, array_like=True):
    """The state of a trainer, by names, so that the state outlives changes of the catalogue."""

    number: int
    examples: int
    unpublished: int
    at_ms: int
    beliefs: dict[str, Gaussian]
    public: list[str]
    contributors: dict[str, bytes]
    factors: dict[str, Gaussian]
    gains: dict[str, tuple[float, float, int]]


_encode_packed = msgspec.msgpack.Encoder().encode
_decode_packed = msgspec.msgpack.Decoder(_Packed).decode


class PopulationTrainer:
    """The population model in training; one per run."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self._catalogue = catalogue
        self._features = Features(catalogue)
        self._population = PopulationModel()
        self._stacking = Stacking()
        self._user_part_names = [user_part_name(name) for name in catalogue.facet_names]
        self.scoring = Scoring(catalogue)
        self._prior = Prior(catalogue)
        """Prior of the last published version."""
        self._examples = 0
        self._at_ms = 0
        self.unpublished = 0
        """Examples since the last version."""
        self.number = 0
        """Number of the last version; 0: none."""
        self.scores: Scores | None = None
        """Scores in the last version."""

    @property
    def prior(self) -> Prior:
        """The prior of the last version."""
        return self._prior

    def start_from(self, version: PopulationVersion) -> None:
        """Start from a published version; only for a trainer without examples."""
        self._population.restore(version.features)
        self._stacking = Stacking(version.factors)
        self._examples, self._at_ms = version.examples, version.at
        self.adopt(version)

    def adopt(self, version: PopulationVersion) -> None:
        """Take a published version as the last one, if it is newer; the learned state stays."""
        if version.n > self._prior.number:
            self._prior = Prior(self._catalogue, version)
            self.number = max(self.number, version.n)

    def learn(self, e: Example) -> None:
        """Score an example, then learn from it."""
        expected = self._prior.expect(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        self.scoring.add(e, expected, self._prior.by_facet(e.slots, e.topic, e.surface, e.shares))
        self._learn_stacking(e, expected)
        user_hash = crc32(e.user)
        for comparison in e.directed:
            preferred = self._features.of_value(comparison.preferred, e.topic, e.surface)
            served = self._features.of_value(comparison.served, e.topic, e.surface)
            self._population.learn(
                preferred, True, e.weight, (comparison.mean, NOISE_VARIANCE + comparison.variance), served
            )
            self._population.add_contributor(preferred + served, user_hash)
        if not e.directed:
            self._learn_feedback(e, user_hash)
        self._examples += 1
        self.unpublished += 1
        self._at_ms = max(self._at_ms, e.at_ms)

    def _learn_feedback(self, e: Example, user_hash: int) -> None:
        features = self._features.of_answer(e.slots, e.topic, e.surface, e.item, e.feedback_count)
        mean, variance = e.own.mean, NOISE_VARIANCE + e.variance
        if e.only:
            facets = self._catalogue.slot_facets
            slots = [slot for slot in e.slots if facets[slot] in e.only]
            learned = list(self._features.of_values(slots, e.topic, e.surface))
            others = self._population.expect([feature for feature in features if feature not in learned])
            features, mean, variance = learned, mean + others[0], variance + others[1]
        self._population.learn(features, e.liked, e.weight, (mean, variance))
        self._population.add_contributor(features, user_hash)

    def _learn_stacking(self, e: Example, expected: PopulationPart) -> None:
        parts = {OFFSET: 1.0, POPULATION: expected.mean, OWN_BIAS: e.bias}
        for facet, share in e.shares.items():
            parts[self._user_part_names[facet]] = share
        self._stacking.learn(parts, expected.variance + e.variance, e.liked)

    def publish(self, number: int) -> PopulationWrite:
        """Publish a new version with this number; its prior becomes `prior`."""
        features = self._population.published()
        facets = {feature.partition("=")[0] for feature in features if "=" in feature and "&" not in feature}
        version = PopulationVersion(
            n=number,
            model=MODEL_VERSION,
            at=self._at_ms,
            examples=self._examples,
            features=features,
            factors=self._published_factors(facets, BIAS in features),
            uninformative=tuple([name for name in self.scoring.uninformative() if name in facets]),
            scores=self.scoring.scores(facets) if BIAS in features else None,
        )
        self._prior = Prior(self._catalogue, version)
        self.scores = version.scores
        self.number = number
        self.unpublished = 0
        return population_write(self._prior, version)

    def _published_factors(self, facets: Iterable[str], is_public: bool) -> dict[str, Gaussian]:
        """Return the stacking factors of parts with enough contributors."""
        public = {user_part_name(name) for name in facets}
        public |= {OFFSET, POPULATION, OWN_BIAS} if is_public else set()
        return {
            part: Gaussian(round(factor.mean, 6), round(factor.variance, 6))
            for part, factor in sorted(self._stacking.factors.items())
            if part in public
        }

    def pack(self) -> bytes:
        """Return the state as bytes."""
        population = self._population
        packed = _Packed(
            self.number,
            self._examples,
            self.unpublished,
            self._at_ms,
            {feature: population.belief(feature) for feature in population.means},
            sorted(population.public),
            {feature: users.tobytes() for feature, users in population.contributors.items()},
            self._stacking.factors,
            {name: (gain.gain, gain.part, gain.n) for name, gain in self.scoring.gains.items()},
        )
        return bytes([LAYOUT]) + _encode_packed(packed)

    @classmethod
    def unpack(cls, data: bytes, catalogue: NumberedCatalogue) -> "PopulationTrainer":
        """Return the trainer of `pack`.

        The bytes hold the number of the last version, not the version: see `adopt`.

        Raises:
            StateError: the bytes have another layout, or are damaged.
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
        trainer = cls(catalogue)
        population = trainer._population
        for feature, (mean, variance) in packed.beliefs.items():
            population.means[feature], population.variances[feature] = mean, variance
        population.public = set(packed.public)
        population.contributors = {feature: array("I", users) for feature, users in packed.contributors.items()}
        trainer._stacking = Stacking(packed.factors)
        trainer.scoring = Scoring(catalogue, packed.gains)
        trainer._examples, trainer._at_ms = packed.examples, packed.at_ms
        trainer.number, trainer.unpublished = packed.number, packed.unpublished
        return trainer
