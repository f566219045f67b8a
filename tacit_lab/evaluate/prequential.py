"""Examples of an event stream with the predictions of the deployed model, without Bytewax's engine and Redis."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from time import process_time, sleep
from typing import Any

from bytewax.inputs import StatefulSourcePartition

from dataflows.formats import format_of
from dataflows.job import Job
from dataflows.rules import rules_of
from dataflows.settings import EXACT
from operators.adapt import Adapt
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.events.observation import Observation
from state.events.records import Record
from state.learning.example import Example, Message
from state.learning.population_prior import CurrentPrior, Prior
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.user.user_state import UserState
from tacit_lab.evaluate.choice_value import LoggedAnswer, of_signals
from tacit_lab.evaluate.context import own_effects, without_context
from tacit_lab.evaluate.one_shard import OneShard
from tacit_lab.evaluate.rejections import Rejections

_ONE_SHARD = 1
"""One shard holds all users, which keeps the examples in the order of the stream."""


class DeployedModel:
    """The steps of `run` and `replay` on a stream, up to the writes.

    The population model is trained, too, with versions by the count of examples alone, unless the prior is fixed.
    """

    def __init__(self, job: Job, fixed_prior: Prior | None = None) -> None:
        """Evaluate a job, of which only the source, the rules and the size of the cache count.

        With `fixed_prior` the prior of all users stays the same.
        """
        self.job = job
        self._fixed_prior = fixed_prior
        self.counters = Counters()
        self.rejections = Rejections()
        self.catalogue = NumberedCatalogue.load(job.settings.catalogue)
        self.answers: dict[int, LoggedAnswer] = {}
        """Number of an example → its logged choices, with those of the model."""
        self.without_context = array("d")
        """Prediction of each example as if its topic and surface were unknown."""
        self.without_own_context = array("d")
        """Prediction of each example without the user's own effects of topic and surface."""
        self.cpu_s = 0.0
        """CPU time of predictions and training, without reading, parsing and the encoding of signals."""

    @property
    def has_fixed_prior(self) -> bool:
        """The prior of all users stays the same."""
        return self._fixed_prior is not None

    def examples(self) -> Iterator[Sequence[Example]]:
        """Yield the examples of the stream with their predictions, batch by batch.

        Raises:
            SourceError: the source cannot be read.
        """
        job, counters = self.job, self.counters
        rules = rules_of(job.settings)
        parse = Parser(
            catalogue=rules.catalogue,
            region=job.settings.region,
            secret=job.settings.secret_bytes,
            shards=_ONE_SHARD,
            counters=counters.events,
            input_format=format_of(job.settings),
        )
        with _KnownStore(None, _ONE_SHARD, rules.catalogue, cached_users=job.settings.cache) as stores:
            shared = CurrentPrior(self._fixed_prior or Prior(rules.catalogue))
            rules = replace(rules, teaches=True, population=shared.prior)
            adapt = Adapt(stores, rules, counters.events, parse, shared=shared)
            training = self._training(rules.catalogue, shared)
            for batch in _batches(job, counters):
                observations, records, rejects = parse(batch)
                if observations:
                    pairs = zip(observations, records, strict=True)
                    yield self._examples(pairs, adapt, training, stores, shared.prior)
                for reject in rejects:
                    self.rejections.add(reject)

    def _training(self, catalogue: NumberedCatalogue, shared: CurrentPrior) -> OneShard | None:
        if self._fixed_prior is not None:
            return None
        exact = self.job.settings.population == EXACT
        return OneShard(catalogue, shared, self.counters.learning, exact=exact)

    def _examples(
        self,
        observed: Iterable[tuple[Observation, Record]],
        adapt: Adapt,
        training: OneShard | None,
        stores: "_KnownStore",
        prior: Prior,
    ) -> Sequence[Example]:
        messages: list[Message] = []
        for o, record in observed:
            messages += self._observe(o, record, adapt, stores, prior)
        before = process_time()
        if training is not None and messages:
            training.take(messages)
        self.cpu_s += process_time() - before
        return [message for message in messages if isinstance(message, Example)]

    def _observe(
        self, o: Observation, record: Record, adapt: Adapt, stores: "_KnownStore", prior: Prior
    ) -> Sequence[Message]:
        """Take in one observation, and return the messages to the training step."""
        effects = own_effects(stores.state(o.user), o)
        before = process_time()
        _, rejects = adapt.observe([o], [record])
        messages = adapt.take_messages()
        self.cpu_s += process_time() - before
        for reject in rejects:
            self.rejections.add(reject)
        for e in messages:
            if isinstance(e, Example):
                self._note(e, prior, effects)
        return messages

    def _note(self, e: Example, prior: Prior, effects: Mapping[int, float]) -> None:
        answer = of_signals(e, self.catalogue, prior.default_slots)
        if answer is not None:
            self.answers[len(self.without_context)] = answer
        free = without_context(e, prior, effects)
        self.without_context.append(free.anywhere)
        self.without_own_context.append(free.without_own)


class _KnownStore(ShardStores):
    """Stores of one shard, whose states can be looked up before they observe."""

    _created: ShardStore | None = None

    def create(self, user: bytes) -> ShardStore:
        """Create the store, and keep a reference."""
        self._created = super().create(user)
        return self._created

    def state(self, user: bytes) -> UserState | None:
        """Return the state of a user, or None."""
        return None if self._created is None else self._created.get(user)


def _batches(job: Job, counters: Counters) -> Iterator[list[Record]]:
    """Read all partitions of the source to their ends, in parallel."""
    source = job.make_source(Event(), counters.source)
    parts: list[StatefulSourcePartition[Record, Any]] = []
    try:
        parts += [source.build_part("evaluate", name, None) for name in source.list_parts()]
        reading = list(parts)
        while reading:
            for part in tuple(reading):
                try:
                    records = part.next_batch()
                except StopIteration:
                    reading.remove(part)
                    continue
                if records:
                    yield list(records)
                else:
                    sleep(_seconds_to_wait(part))
    finally:
        for part in parts:
            part.close()


def _seconds_to_wait(part: StatefulSourcePartition[Record, Any]) -> float:
    awake = part.next_awake()
    return 0.0 if awake is None else max(0.0, (awake - datetime.now(UTC)).total_seconds())
