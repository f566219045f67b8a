"""The deployed model at work on an event stream, without the engine and without Redis."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from time import process_time, sleep
from typing import Any

from bytewax.inputs import StatefulSourcePartition

from dataflows.job import Job
from operators.adapt import Adapt
from operators.learn_population import LearnPopulation
from operators.parse import Parser
from state.counters import Counters
from state.events.records import Record, Reject
from state.learning.example import Example, pack_example
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_trainer import PopulationTrainer
from state.storage.shard_stores import ShardStores
from state.user.rules import Rules

_ONE_SHARD = 1
"""All users is in it: so pieces of feedback keep the stream's order."""


class Deployed:
    """What `run` and `replay` compute of a stream, step by step as they do, up to what would be written.

    What is believed of all users is learned as well, a version every 1,000 pieces of feedback, unless there is a prior to keep
    to.
    """

    def __init__(self, job: Job, keeps_to: Prior | None = None) -> None:
        """Of a job only the source, the rules and the cache's size count."""
        self._job = job
        self._keeps_to = keeps_to
        self.counters = Counters()
        self.cpu_s = 0.0
        """Of predicting and learning, without reading and parsing, and without putting signals into words."""

    def examples(self) -> Iterator[Sequence[Example]]:
        """Go through the stream; return what was predicted of each piece of feedback, batch by batch.

        Raises:
            SourceError: it cannot be read.
        """
        job, counters = self._job, self.counters
        rules = job.settings.rules()
        parse = Parser(
            catalogue=rules.catalogue,
            region=job.settings.region,
            secret=job.settings.secret_bytes,
            shards=_ONE_SHARD,
            counters=counters.events,
        )
        with ShardStores(None, _ONE_SHARD, rules.catalogue, cached_users=job.settings.cache) as stores:
            shared = CurrentPrior(self._keeps_to or Prior(rules.catalogue))
            rules = replace(rules, teaches=True, population=shared.prior)
            adapt = Adapt(stores, rules, counters.events, shared=shared)
            learn = self._learn_population(rules, shared)
            for records in _batches(job, counters):
                for group in parse(records):
                    if not isinstance(group, Reject):
                        yield self._examples(group[1], adapt, learn)

    def _learn_population(self, rules: Rules, shared: CurrentPrior) -> LearnPopulation | None:
        if self._keeps_to is not None:
            return None

        def share(prior: Prior) -> None:
            shared.prior = prior

        # A clock that stands still: versions come by the count of pieces of feedback alone, and two evaluations agree.
        return LearnPopulation(PopulationTrainer(rules.catalogue), share, self.counters.learning, clock=lambda: 0)

    def _examples(self, packed: list[bytes], adapt: Adapt, learn: LearnPopulation | None) -> Sequence[Example]:
        before = process_time()
        touched, _ = adapt.observe([packed])
        examples = adapt.take_examples()
        if learn is not None and examples:
            learn.on_batch([[pack_example(example) for example in examples]])
        self.cpu_s += process_time() - before
        adapt.take_writes(touched)  # else they would pile up
        return examples


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
