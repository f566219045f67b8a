"""One pass over a stream: the deployed model and its baselines predict each piece of feedback, and then learn from it."""

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
from tacit_lab.evaluate.prequential import Deployed


@dataclass(slots=True)
class Model:
    """What one model predicted."""

    name: str
    """For machines."""
    title: str
    """For users."""
    p: "array[float]" = field(default_factory=lambda: array("d"))
    """The chance of a like, of each piece of feedback."""
    cpu_s: float = 0.0
    """Of predicting and learning."""


@dataclass(slots=True)
class Evaluation:
    """What all models predicted of the same pieces of feedback."""

    feedback: FeedbackOutcomes
    models: list[Model]
    """The deployed one first."""
    users: int = 0
    counters: Counters = field(default_factory=Counters)

    @property
    def deployed(self) -> Model:
        """The model whose predictions the others are compared with."""
        return self.models[0]

    @property
    def scored_from(self) -> int:
        """Place of the first of the last 70% of all pieces of feedback."""
        return scored_from(len(self.feedback))

    def figures(self, model: Model, bucket: Bucket, start: int) -> Figures:
        """Return the figures of a model in a bucket, of the pieces of feedback from a place on."""
        liked = self.feedback.liked
        places = list(self.feedback.within(bucket, start))
        return figures_of([liked[place] for place in places], [model.p[place] for place in places])

    def cpu_us(self, model: Model) -> float:
        """Return the CPU time of predicting and learning, in µs per piece of feedback."""
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


def evaluate(job: Job, keeps_to: Prior | None, report: Callable[[Counters], object]) -> Evaluation:
    """Return what the deployed model and its baselines make of a job's source.

    What is believed of all users is learned, unless there is a prior to keep to. `report` is reported of progress.

    Raises:
        SourceError: the source cannot be read.
    """
    deployed = Deployed(job, keeps_to)

    def batches() -> Iterable[Sequence[Example]]:
        for batch in deployed.examples():
            report(deployed.counters)
            yield batch

    evaluation = compare(batches(), baselines())
    evaluation.counters = deployed.counters
    evaluation.deployed.cpu_s = deployed.cpu_s
    return evaluation


def compare(batches: Iterable[Sequence[Example]], predictors: Sequence[Predictor]) -> Evaluation:
    """Return what was predicted of examples (the deployed model's `p`) next to what others predict of them.

    Directed feedback ("shorter") is a dislike of the answer as it was. Those who need items or topics are left out where no answer
    had one.
    """
    evaluation = Evaluation(FeedbackOutcomes(), [Model("tacit", "Tacit")])
    others = [Model(predictor.name, predictor.title) for predictor in predictors]
    users: set[bytes] = set()
    had: set[str] = set()
    for judged in batches:
        users.update([example.user for example in judged])
        had |= {"item" for e in judged if e.item} | {"topic" for e in judged if e.topic != NONE}
        for example in judged:
            evaluation.feedback.add(example.liked, example.feedback_count + 1)
            evaluation.deployed.p.append(example.p)
        for predictor, model in zip(predictors, others, strict=True):
            _take_turn(predictor, model, judged)
    evaluation.users = len(users)
    evaluation.models += [
        model
        for predictor, model in zip(predictors, others, strict=True)
        if not predictor.needs or predictor.needs & had
    ]
    return evaluation


def _take_turn(predictor: Predictor, model: Model, judged: Sequence[Example]) -> None:
    before = process_time()
    for example in judged:
        model.p.append(predictor.predict(example))
        predictor.learn(example)
    model.cpu_s += process_time() - before
