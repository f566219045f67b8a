"""Predictions without topics and surfaces."""

from math import sqrt
from pathlib import Path

import pytest

from dataflows.job import Job
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.learning.population_prior import Prior
from state.learning.probit import normal_cdf
from state.user.user_state import UserState
from tacit_lab.evaluate.context import own_effects, without_context
from tacit_lab.evaluate.evaluation import evaluate
from tacit_lab.evaluate.figures import ALL
from tacit_lab.evaluate.prequential import DeployedModel
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE, START_MS, make_event, make_observation
from tests.support.replays import END_MS, write_history, write_lines


def test_example_without_topic_and_surface_keeps_its_prediction() -> None:
    """Its prediction had no context."""
    assert without_context(make_example(p=0.7), Prior(CATALOGUE), {}) == (0.7, 0.7)


def test_population_without_a_version_has_no_context() -> None:
    """All effects are 0."""
    assert without_context(make_example(p=0.7, topic=1), Prior(CATALOGUE), {}) == pytest.approx((0.7, 0.7))


def test_own_effects_are_taken_out_of_the_score() -> None:
    """A new prior has a scale of √(1 + variance), and factors of 1."""
    e = make_example(p=normal_cdf(0.5), topic=1)
    expected = normal_cdf(0.5 - 0.2 / sqrt(1.0 + e.variance))
    assert without_context(e, Prior(CATALOGUE), {0: 0.2}) == pytest.approx((expected, expected))


def test_effects_come_from_the_state_before_the_answer(tmp_path: Path) -> None:
    """A user likes short answers on one topic only; the first answer has no effect, the last two opposite ones."""
    lines = [make_event(type="consent", event_id="yes", granted=True)]
    for number in range(40):
        topic, kind = ("code", "thumbs_up") if number % 2 else ("email", "thumbs_down")
        lines.append(
            make_event(
                event_id=f"e{number}", at=START_MS + 60_000 * number, topic=topic,
                served={"length": "concise"}, feedback={"kind": kind},
            )
        )  # fmt: skip
    path = write_lines(tmp_path / "events.jsonl", lines)
    model = DeployedModel(Job(Settings(embedded=True), (path,), bounded=True), Prior(NumberedCatalogue.load()))
    p = [e.p for batch in model.examples() for e in batch]
    assert len(p) == 40
    assert model.without_own_context[0] == pytest.approx(p[0])
    assert list(model.without_own_context) == pytest.approx(list(model.without_context))
    assert p[-1] > model.without_own_context[-1] + 0.01
    assert p[-2] < model.without_own_context[-2] - 0.01


def test_user_without_state_has_no_effects() -> None:
    """Neither has a user without preferences."""
    o = make_observation(topic="code")
    assert own_effects(None, o) == own_effects(UserState(CATALOGUE), o) == {}


def test_gain_is_compared_on_all_scored_answers(tmp_path: Path) -> None:
    """With the population's and the user's own effects, and with the user's own alone."""
    write_history(tmp_path / "events.jsonl", users=60, turns=4_000, end_ms=END_MS)
    job = Job(Settings(embedded=True, population="exact"), (tmp_path / "events.jsonl",), bounded=True)
    found = evaluate(job, None, lambda _: None)
    assert [pair.first.name for pair in found.pairs] == ["tacit_without_context", "tacit_without_own_context"]
    for pair in found.pairs:
        compared = found.paired(pair, ALL, found.scored_from)
        assert compared is not None
        assert compared.n == len(found.feedback) - found.scored_from
        assert compared.second == pytest.approx(found.figures(found.deployed, ALL, found.scored_from).log_loss)
