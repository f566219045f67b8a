"""One pass over a stream: the deployed model and the baselines predict each example, and then train with it."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any

from dataflows.job import Job
from state.counters import Counters
from state.events.observation import NONE
from state.learning.example import Example
from state.learning.population_prior import Prior
from tacit_lab.evaluate.baselines import Predictor, baselines
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


@dataclass(slots=True)
class Evaluation:
    """Predictions of all models for the same examples."""

    feedback: FeedbackOutcomes
    models: list[Model]
    """The deployed model is the first."""
    users: int = 0
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

    def cpu_us(self, model: Model) -> float:
        """Return the CPU time of predictions and training, in µs per example."""
        return model.cpu_s / max(1, len(self.feedback)) * 1e6

    def as_dict(self) -> dict[str, Any]:
        """Return all figures by name, for `--json`."""
        events = self.counters.events
        return {
            "events": self.counters.source.records,
            "rejected": sum(events.rejects.values()),
            "users": self.users,
            "feedback": len(self.feedback),
            "scored_from": self.scored_from,
            "calibration_bins": CALIBRATION_BINS,
            "models": {model.name: self._model_as_dict(model) for model in self.models},
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


def evaluate(job: Job, fixed_prior: Prior | None, report: Callable[[Counters], object]) -> Evaluation:
    """Evaluate the deployed model and the baselines on the source of a job.

    Args:
        job: source and settings.
        fixed_prior: prior of all users for the whole stream; None: the population model is trained, too.
        report: called with the counters for each batch.

    Raises:
        SourceError: the source cannot be read.
    """
    deployed = DeployedModel(job, fixed_prior)

    def batches() -> Iterable[Sequence[Example]]:
        for batch in deployed.examples():
            report(deployed.counters)
            yield batch

    evaluation = compare(batches(), baselines())
    evaluation.counters = deployed.counters
    evaluation.deployed.cpu_s = deployed.cpu_s
    return evaluation


def compare(batches: Iterable[Sequence[Example]], predictors: Sequence[Predictor]) -> Evaluation:
    """Compare the predictions of the deployed model (`Example.p`) with those of other models.

    Directed feedback ("shorter") is a dislike of the served answer. A model that needs items or topics is left out if
    no answer has one.
    """
    evaluation = Evaluation(FeedbackOutcomes(), [Model("tacit", "Tacit")])
    others = [Model(predictor.name, predictor.title) for predictor in predictors]
    users: set[bytes] = set()
    found: set[str] = set()
    for examples in batches:
        users.update([example.user for example in examples])
        found |= {"item" for e in examples if e.item} | {"topic" for e in examples if e.topic != NONE}
        for example in examples:
            evaluation.feedback.add(example.liked, example.feedback_count + 1)
            evaluation.deployed.p.append(example.p)
        for predictor, model in zip(predictors, others, strict=True):
            _predict_and_learn(predictor, model, examples)
    evaluation.users = len(users)
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
