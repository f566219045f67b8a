"""Predictions without topics and surfaces."""

from collections.abc import Sequence

import pytest

from dataflows.job import Job
from dataflows.settings import Settings
from state.learning.example import Example
from state.learning.population_prior import Prior
from tacit.contract.catalogue import SHIPPED
from tacit_lab.evaluate.context import without_context
from tacit_lab.evaluate.evaluation import evaluate
from tacit_lab.evaluate.figures import ALL
from tacit_lab.evaluate.prequential import DeployedModel
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE
from tests.support.replays import write_history


def test_example_without_topic_and_surface_keeps_its_prediction() -> None:
    """Its prediction had no context."""
    assert without_context(make_example(p=0.7), Prior(CATALOGUE)) == 0.7


def test_population_without_a_version_has_no_context() -> None:
    """All effects are 0."""
    assert without_context(make_example(p=0.7, topic=1), Prior(CATALOGUE)) == pytest.approx(0.7)


def test_context_of_a_simulation_gains(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The simulator's topics change tastes, and the comparison has both log losses on all scored answers."""
    path = tmp_path_factory.mktemp("context") / "events.jsonl"
    write_history(path, users=60, turns=4_000)
    job = Job(Settings(embedded=True, catalogue=SHIPPED, population="exact"), (path,), bounded=True)
    found = evaluate(job, None, lambda _: None)
    (pair,) = found.pairs
    assert (pair.first.name, pair.second) == ("tacit_without_context", found.deployed)
    compared = found.paired(pair, ALL, found.scored_from)
    assert compared is not None
    assert compared.n == len(found.feedback) - found.scored_from
    assert compared.second == pytest.approx(found.figures(found.deployed, ALL, found.scored_from).log_loss)
    assert compared.difference < 0.01


def test_prediction_without_context_differs_where_the_population_has_effects(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Only after the first version, and only a little."""
    path = tmp_path_factory.mktemp("effects") / "events.jsonl"
    write_history(path, users=40, turns=2_000)
    model = DeployedModel(Job(Settings(embedded=True, population="exact"), (path,), bounded=True))
    examples: Sequence[Example] = [e for batch in model.examples() for e in batch]
    differences = [abs(e.p - p) for e, p in zip(examples, model.without_context, strict=True)]
    assert max(differences[:200]) < 1e-9
    assert 0.0 < max(differences) < 0.5
