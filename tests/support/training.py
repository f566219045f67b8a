"""One shard's training together with the population model, for tests: each example is merged at once."""

from collections.abc import Iterable
from typing import Self

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.delta import Delta
from state.learning.exact_trainer import ExactTrainer
from state.learning.example import Example, Forget, Message
from state.learning.population_model import Feature
from state.learning.population_prior import Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationVersion, PopulationWrite
from state.learning.release import Block
from state.learning.shard_training import ShardTraining, StoredShard
from tests.support.factories import CATALOGUE


def delta_of(messages: Iterable[Message], training: ShardTraining | None = None, prior: Prior | None = None) -> Delta:
    """Return what a shard learns from messages."""
    training = training or ShardTraining(CATALOGUE)
    if prior is not None:
        training.use(prior)
    for message in messages:
        if isinstance(message, Forget):
            training.forget(message.user)
        else:
            training.learn(message)
    return training.take()


class Training:
    """A deployment with one shard."""

    def __init__(
        self,
        catalogue: NumberedCatalogue = CATALOGUE,
        key: bytes = b"",
        *,
        exact: bool = False,
        trainer: PopulationTrainer | None = None,
    ) -> None:
        self.shard = ShardTraining(catalogue, key, exact=exact)
        self.trainer = trainer or (ExactTrainer(catalogue, self.shard) if exact else PopulationTrainer(catalogue, key))

    def learn(self, e: Example) -> bool:
        """Take an example, and merge it."""
        self.shard.use(self.trainer.prior)
        taken = self.shard.learn(e)
        self.merge()
        return taken

    def forget(self, user: bytes) -> None:
        """Forget a user, given by pseudonym."""
        self.shard.use(self.trainer.prior)
        self.shard.forget(user)
        self.merge()

    def merge(self) -> None:
        """Merge what the shard has learned."""
        self.trainer.merge(self.shard.take())

    def publish(self, number: int) -> PopulationWrite:
        """Publish a version."""
        return self.trainer.publish(number)

    def start_from(self, version: PopulationVersion) -> None:
        """Start from a version."""
        self.trainer.start_from(version)

    def adopt(self, version: PopulationVersion) -> None:
        """Adopt a version."""
        self.trainer.adopt(version)

    @property
    def prior(self) -> Prior:
        """Prior of the last version."""
        return self.trainer.prior

    @property
    def features(self) -> dict[str, Feature]:
        """Features of the model."""
        return self.trainer._population.features

    def blocks(self) -> dict[str, Block]:
        """Return feature → votes that wait, of the one shard or of all."""
        found = {}
        for name, feature in self.features.items():
            for block in [part.block for part in feature.partials.values()] + [feature.block]:
                if block is not None and block.users:
                    found[name] = block
        return found

    def pack(self) -> bytes:
        """Return the state of both."""
        return msgspec.msgpack.encode((self.trainer.pack(), self.shard.pack()))

    @classmethod
    def unpack(cls, data: bytes, catalogue: NumberedCatalogue = CATALOGUE, key: bytes = b"") -> Self:
        """Return the training of `pack`."""
        packed, shard = msgspec.msgpack.decode(data, type=tuple[bytes, StoredShard])
        found = cls(catalogue, key, trainer=PopulationTrainer.unpack(packed, catalogue, key))
        found.shard.restore(shard)
        return found
