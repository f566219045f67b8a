"""One pass over a stream: the deployed model and the baselines predict each example, and then train with it."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

from dataflows.job import Job
from state.counters import Counters
from state.events.observation import NONE
from state.learning.example import Example
from state.learning.paired_loss import LossDifference, PairedLoss
from state.learning.population_prior import Prior
from tacit_lab.evaluate.against import Chooser, FeedbackKeys, other_catalogue
from tacit_lab.evaluate.baselines import Predictor, baselines
from tacit_lab.evaluate.choice_value import ChoiceValue
from tacit_lab.evaluate.figures import (
    ALL,
    BUCKETS,
    CALIBRATION_BINS,
    Bucket,
    FeedbackOutcomes,
    Figures,
    figures_of,
    scored_from,
)
from tacit_lab.evaluate.prequential import DeployedModel
from tacit_lab.evaluate.rejections import Rejections
from tacit_lab.evaluate.restarts import Restarts


@dataclass(slots=True)
class Model:
    """Predictions of one model."""

    name: str
    """Identifier in JSON."""
    title: str
    """Title in tables and plots."""
    p: "array[float]" = field(default_factory=lambda: array("d"))
    """Predicted chance of a like, by example."""
    cpu_s: float = 0.0
    """CPU time of predictions and training."""


_ROUNDING = 1e-9
"""Difference of two predictions below which they are the same."""


class Pair(NamedTuple):
    """Two models that are compared on the same examples."""

    first: Model
    second: Model
    choices: ChoiceValue | None = None
    """Value of the choices of both; None where the choices are the same."""


@dataclass(slots=True)
class Evaluation:
    """Predictions of all models for the same examples."""

    feedback: FeedbackOutcomes
    models: list[Model]
    """The deployed model is the first."""
    pairs: list[Pair] = field(default_factory=list)
    """Comparisons; a model outside of `models` may lack predictions (NaN)."""
    users: int = 0
    restarts: int = 0
    """Users that started again as new ones, for all models (tacit_lab.evaluate.restarts)."""
    rejections: Rejections = field(default_factory=Rejections)
    counters: Counters = field(default_factory=Counters)

    @property
    def deployed(self) -> Model:
        """The deployed model, which the others are compared with."""
        return self.models[0]

    @property
    def scored_from(self) -> int:
        """Index of the first scored example; the last 70% are scored."""
        return scored_from(len(self.feedback))

    def figures(self, model: Model, bucket: Bucket, start: int) -> Figures:
        """Return the figures of a model in a bucket, from example number `start`, counted from 0."""
        liked = self.feedback.liked
        indices = list(self.feedback.within(bucket, start))
        return figures_of([liked[index] for index in indices], [model.p[index] for index in indices])

    def paired(self, pair: Pair, bucket: Bucket, start: int) -> LossDifference | None:
        """Return a comparison on the examples of a bucket of which both models have a prediction."""
        feedback, losses = self.feedback, PairedLoss()
        for index in feedback.within(bucket, start):
            one, other = pair.first.p[index], pair.second.p[index]
            if not (isnan(one) or isnan(other)):
                losses.add(bytes(feedback.user_buckets[index : index + 1]), feedback.liked[index] > 0, one, other)
        return losses.result()

    @property
    def warning(self) -> str | None:
        """Warning if a good part of the records was rejected."""
        return self.rejections.warning(self.counters.source.records)

    def cpu_us(self, model: Model) -> float:
        """Return the CPU time of predictions and training, in µs per example."""
        return model.cpu_s / max(1, len(self.feedback)) * 1e6

    def as_dict(self) -> dict[str, Any]:
        """Return all figures by name, for `--json`."""
        events = self.counters.events
        return {
            "events": self.counters.source.records,
            "rejected": sum(events.rejects.values()),
            "reject_causes": [cause._asdict() for cause in self.rejections.top],
            "warning": self.warning,
            "users": self.users,
            "restarts": self.restarts,
            "feedback": len(self.feedback),
            "scored_from": self.scored_from,
            "calibration_bins": CALIBRATION_BINS,
            "models": {model.name: self._model_as_dict(model) for model in self.models},
            "pairs": [self._pair_as_dict(pair) for pair in self.pairs],
        }

    def _pair_as_dict(self, pair: Pair) -> dict[str, Any]:
        found = {bucket.name: self.paired(pair, bucket, self.scored_from) for bucket in (*BUCKETS, ALL)}
        return {
            "first": pair.first.name,
            "second": pair.second.name,
            "last_70": {name: each and each._asdict() for name, each in found.items()},
            "choices": _choices_as_dict(pair.choices),
        }

    def _model_as_dict(self, model: Model) -> dict[str, Any]:
        parts = {"last_70": self.scored_from, "overall": 0}
        return {
            "title": model.title,
            "cpu_us_per_event": round(self.cpu_us(model), 3),
            **{
                part: {bucket.name: self.figures(model, bucket, start).as_dict() for bucket in (*BUCKETS, ALL)}
                for part, start in parts.items()
            },
        }


def _choices_as_dict(choices: ChoiceValue | None) -> dict[str, Any] | None:
    if choices is None:
        return None
    return {
        facet: {"n": found.n, "effective": found.effective}
        | (
            {"second": found.rate, "first": found.other, "difference": found.difference, "interval": found.interval}
            if found.suffices
            else {}
        )
        for facet, found in choices.differences().items()
    }


def evaluate(
    job: Job,
    fixed_prior: Prior | None,
    report: Callable[[Counters], object],
    others: Sequence[Predictor] = (),
    against: Path | Predictor | None = None,
) -> Evaluation:
    """Evaluate the deployed model and the baselines on the source of a job.

    Args:
        job: source and settings.
        fixed_prior: prior of all users for the whole stream; None: the population model is trained, too.
        report: called with the counters for each batch.
        others: more baselines.
        against: another catalogue, or a baseline, that is compared with the deployed model.

    Raises:
        SourceError: the source cannot be read.
    """
    deployed = DeployedModel(job, fixed_prior)

    def batches() -> Iterable[Sequence[Example]]:
        for batch in deployed.examples():
            report(deployed.counters)
            yield batch

    keys = FeedbackKeys()
    noted = keys.noted(batches()) if isinstance(against, Path) else batches()
    rival = None if against is None or isinstance(against, Path) else Chooser(against, deployed.catalogue)
    evaluation = compare(noted, [*baselines(), *others, *([rival] if rival else [])])
    evaluation.counters, evaluation.rejections = deployed.counters, deployed.rejections
    evaluation.deployed.cpu_s = deployed.cpu_s
    for plain in (
        Model("tacit_without_context", "Tacit without context", deployed.without_context),
        Model("tacit_without_own_context", "Tacit without own context", deployed.without_own_context),
    ):
        if any(abs(p - q) > _ROUNDING for p, q in zip(plain.p, evaluation.deployed.p, strict=True)):
            evaluation.pairs.append(Pair(plain, evaluation.deployed))
    if isinstance(against, Path):
        found = other_catalogue(against, deployed, keys, report)
        evaluation.pairs.append(Pair(evaluation.deployed, Model(str(against), against.name, found.p), found.choices))
    elif rival is not None:
        evaluation.pairs.append(Pair(evaluation.deployed, evaluation.models[-1], rival.against(deployed)))
    return evaluation


def compare(batches: Iterable[Sequence[Example]], predictors: Sequence[Predictor]) -> Evaluation:
    """Compare the predictions of the deployed model (`Example.p`) with those of other models.

    Directed feedback ("shorter") is a dislike of the served answer. A user that the deployed model starts again is a
    new user for every model. A model that needs items or topics is left out if no answer has one.
    """
    evaluation = Evaluation(FeedbackOutcomes(), [Model("tacit", "Tacit")])
    others = [Model(predictor.name, predictor.title) for predictor in predictors]
    restarts = Restarts()
    found: set[str] = set()
    for examples in batches:
        found |= {"item" for e in examples if e.item} | {"topic" for e in examples if e.topic != NONE}
        for example in examples:
            evaluation.feedback.add(example.liked, example.feedback_count + 1, example.user)
            evaluation.deployed.p.append(example.p)
        seen = [restarts.seen(example) for example in examples]
        for predictor, model in zip(predictors, others, strict=True):
            _predict_and_learn(predictor, model, seen)
    evaluation.users, evaluation.restarts = restarts.users, restarts.n
    evaluation.models += [
        model
        for predictor, model in zip(predictors, others, strict=True)
        if not predictor.needs or predictor.needs & found
    ]
    return evaluation


def _predict_and_learn(predictor: Predictor, model: Model, examples: Sequence[Example]) -> None:
    before = process_time()
    for example in examples:
        model.p.append(predictor.predict(example))
        predictor.learn(example)
    model.cpu_s += process_time() - before
