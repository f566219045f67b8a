"""Another catalogue on the same stream: only feedback that both have is compared."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from dataflows.job import Job
from dataflows.settings import Settings
from tacit.contract.catalogue import SHIPPED
from tacit_lab.evaluate.against import FeedbackKeys
from tacit_lab.evaluate.baselines import RiverBaseline
from tacit_lab.evaluate.evaluation import evaluate
from tacit_lab.evaluate.figures import ALL
from tests.support.examples import make_example, tastes
from tests.support.replays import END_MS, write_history

LOGISTIC = "river.linear_model.LogisticRegression"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    path = tmp_path_factory.mktemp("against") / "events.jsonl"
    write_history(path, users=40, turns=1_500, end_ms=END_MS)
    return Job(Settings(embedded=True, population="none"), (path,), bounded=True)


def test_feedback_is_aligned_by_user_time_and_outcome() -> None:
    """Feedback that the other lacks, or counts otherwise, has no number; equal keys keep their order."""
    examples = tastes(6)
    keys = FeedbackKeys()
    assert list(keys.noted([examples[:4], [*examples[4:], examples[5]]]))
    other = [*examples[:1], replace(examples[2], liked=not examples[2].liked), *examples[3:], examples[5]]
    assert list(keys.align([make_example(77), *other])) == [1, -1, -1, 3, 4, 5, 6]


def test_same_catalogue_has_the_same_predictions(job: Job) -> None:
    """The difference is 0, and so are the limits of its interval."""
    found = evaluate(job, None, lambda _: None, against=SHIPPED)
    pair = found.pairs[-1]
    assert (pair.first, list(pair.second.p)) == (found.deployed, list(found.deployed.p))
    compared = found.paired(pair, ALL, found.scored_from)
    assert compared is not None
    assert compared[3:6] == (0.0, 0.0, 0.0)


def test_catalogue_without_a_facet_rejects_other_events(job: Job, tmp_path: Path) -> None:
    """The rest is compared; the first evaluation is as without the comparison."""
    text = SHIPPED.read_text()
    other = tmp_path / "other.toml"
    other.write_text(text.replace('"table"', '"tables"').replace("\ntable = ", "\ntables = "))
    assert other.read_text() != text
    found = evaluate(job, None, lambda _: None, against=other)
    compared = found.paired(found.pairs[-1], ALL, 0)
    assert compared is not None
    assert 0 < compared.n < len(found.feedback)
    assert list(found.deployed.p) == list(evaluate(job, None, lambda _: None).deployed.p)


def test_classifier_is_a_rival_and_a_baseline(job: Job) -> None:
    """It has a line among the models, and a comparison with the deployed model."""
    found = evaluate(
        job, None, lambda _: None, [RiverBaseline("river.linear_model.AdPredictor")], RiverBaseline(LOGISTIC)
    )
    assert [model.name for model in found.models[-2:]] == ["river.linear_model.AdPredictor", LOGISTIC]
    assert (found.pairs[-1].first.name, found.pairs[-1].second.name) == ("tacit", LOGISTIC)
