"""A rival of the deployed model on the same stream: another catalogue, or a classifier.

A catalogue may reject other events and count other kinds as likes. So a piece of feedback is compared if both have it,
by user and time, with the same outcome.
"""

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.learning.example import Example
from state.learning.population_prior import Prior
from tacit_lab.evaluate.baselines import Predictor
from tacit_lab.evaluate.choice_value import ChoiceValue, LoggedAnswer, of_predictions
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

    def align(self, examples: Iterable[Example]) -> "array[int]":
        """Return the number of each noted piece of feedback among other examples; −1: they do not have it."""
        waiting: dict[Key, deque[int]] = defaultdict(deque)
        for number, e in enumerate(examples):
            waiting[_key(e)].append(number)
        return array("q", [found.popleft() if (found := waiting.get(key)) else -1 for key in self._all])


class Rival(NamedTuple):
    """Another model's predictions and choices for the feedback of the first evaluation, in its order."""

    p: "array[float]"
    """NaN: the other model does not have this feedback."""
    choices: ChoiceValue


def other_catalogue(
    catalogue: Path, first: DeployedModel, keys: FeedbackKeys, report: Callable[[Counters], object]
) -> Rival:
    """Return the deployed model with another catalogue, on the stream of the first evaluation, which is read again.

    The population model is trained as in the first evaluation, or absent as there.

    Raises:
        ConfigurationError: the catalogue is invalid.
        SourceError: the source cannot be read.
    """
    job = replace(first.job, settings=replace(first.job.settings, catalogue=catalogue))
    other = DeployedModel(job, Prior(NumberedCatalogue.load(catalogue)) if first.has_fixed_prior else None)
    found = array("d")

    def examples() -> Iterator[Example]:
        for batch in other.examples():
            report(other.counters)
            found.extend([e.p for e in batch])
            yield from batch

    numbers = keys.align(examples())
    choices = ChoiceValue(first.catalogue, other.catalogue)
    for index, answer in first.answers.items():
        choices.add(answer, other.answers.get(numbers[index]))
    return Rival(array("d", [nan if number < 0 else found[number] for number in numbers]), choices)


class Chooser:
    """A baseline that also notes the choices that it would have made, before it trains with the answer."""

    def __init__(self, predictor: Predictor, catalogue: NumberedCatalogue) -> None:
        self.name, self.title, self.needs = predictor.name, predictor.title, predictor.needs
        self._predictor = predictor
        self._catalogue = catalogue
        self._n = 0
        self.answers: dict[int, LoggedAnswer] = {}
        """Number of an example → its logged choices, with those of the baseline."""

    def predict(self, e: Example) -> float:
        """Return the prediction of the baseline."""
        answer = of_predictions(e, self._catalogue, self._predictor.predict)
        if answer is not None:
            self.answers[self._n] = answer
        self._n += 1
        return self._predictor.predict(e)

    def learn(self, e: Example) -> None:
        """Train the baseline."""
        self._predictor.learn(e)

    def against(self, first: DeployedModel) -> ChoiceValue:
        """Return the values of its choices and of the deployed model's."""
        choices = ChoiceValue(self._catalogue, self._catalogue)
        for index, answer in first.answers.items():
            choices.add(answer, self.answers.get(index))
        return choices


def _key(e: Example) -> Key:
    return e.user, e.at_ms, e.liked
