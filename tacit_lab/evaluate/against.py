"""Another catalogue on the same stream: its predictions for the same feedback, in the order of the first evaluation.

A catalogue may reject other events and count other kinds as likes. So a piece of feedback is compared if both have it,
by user and time, with the same outcome.
"""

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path

from dataflows.job import Job
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.learning.example import Example
from state.learning.population_prior import Prior
from tacit_lab.evaluate.prequential import DeployedModel

Key = tuple[bytes, int, bool]
"""User, event time and outcome of a piece of feedback."""


class FeedbackKeys:
    """Keys of the feedback of a stream, in order."""

    def __init__(self) -> None:
        self._all: list[Key] = []

    def noted(self, batches: Iterable[Sequence[Example]]) -> Iterator[Sequence[Example]]:
        """Yield the batches, and note the key of each example."""
        for batch in batches:
            self._all += [_key(e) for e in batch]
            yield batch

    def align(self, examples: Iterable[Example]) -> "array[float]":
        """Return the prediction of each noted piece of feedback by other examples; NaN: they do not have it."""
        waiting: dict[Key, deque[float]] = defaultdict(deque)
        for e in examples:
            waiting[_key(e)].append(e.p)
        return array("d", [found.popleft() if (found := waiting.get(key)) else nan for key in self._all])


def predictions_of(
    catalogue: Path, job: Job, keys: FeedbackKeys, report: Callable[[Counters], object], *, learns_population: bool
) -> "array[float]":
    """Return the predictions of the deployed model with another catalogue, aligned with the noted feedback.

    Args:
        catalogue: the other catalogue (TOML).
        job: the job of the first evaluation; its source is read again.
        keys: the feedback of the first evaluation.
        report: called with the counters for each batch.
        learns_population: train the population model, too; otherwise there is none.

    Raises:
        ConfigurationError: the catalogue is invalid.
        SourceError: the source cannot be read.
    """
    prior = None if learns_population else Prior(NumberedCatalogue.load(catalogue))
    other = DeployedModel(replace(job, settings=replace(job.settings, catalogue=catalogue)), prior)

    def examples() -> Iterator[Example]:
        for batch in other.examples():
            report(other.counters)
            yield from batch

    return keys.align(examples())


def _key(e: Example) -> Key:
    return e.user, e.at_ms, e.liked
