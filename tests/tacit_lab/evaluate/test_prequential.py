"""Deployed model on a stream: each prediction precedes the training, and both take only trainable feedback."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dataflows.job import Job
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.learning.example import Example
from state.learning.population_prior import Prior
from tacit.contract.pseudonyms import pseudonym
from tacit_lab.evaluate.prequential import DeployedModel
from tests.support.factories import START_MS, make_event
from tests.support.replays import END_MS, write_history, write_lines

DENIED = make_event(type="consent", granted=False, event_id="no")


def answer(user: str, number: int, *, kind: str = "thumbs_up", length: str = "concise", **more: Any) -> dict[str, Any]:
    """Return an answer with feedback, `number` minutes after the start."""
    return make_event(
        user_id=user, event_id=f"{user}-{number}", at=START_MS + number * 60_000,
        served={"length": length}, feedback={"kind": kind}, **more,
    )  # fmt: skip


def granted(user: str) -> dict[str, Any]:
    """Return the consent of a user at the start."""
    return make_event(type="consent", user_id=user, event_id=f"{user}-yes", granted=True)


def deployed(*paths: Path, fixed_prior: Prior | None = None) -> DeployedModel:
    """Return the deployed model with the shipped catalogue on files."""
    return DeployedModel(Job(Settings(embedded=True), paths, bounded=True), fixed_prior)


def examples(model: DeployedModel) -> list[Example]:
    """Return the examples of the stream."""
    return [example for batch in model.examples() for example in batch]


def of_lines(folder: Path, *lines: Mapping[str, Any], fixed_prior: Prior | None = None) -> list[Example]:
    """Return the examples of a file with the given events."""
    path = write_lines(folder / "events.jsonl", lines)
    return examples(deployed(path, fixed_prior=fixed_prior))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated history with examples for more than two versions."""
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    write_history(path, users=150, turns=7_000, end_ms=END_MS)
    return path


def test_examples_are_in_the_order_of_the_stream(tmp_path: Path) -> None:
    """Only users with consent have examples; each has the count of the user's earlier feedback."""
    users = [("ada", 1), ("bob", 1), ("ada", 2), ("eve", 1), ("ada", 3), ("bob", 2)]
    lines = [granted("ada"), granted("bob"), *(answer(user, number) for user, number in users)]
    found = of_lines(tmp_path, *lines)
    secret = Settings(embedded=True).secret_bytes
    ada, bob = pseudonym("ada", secret), pseudonym("bob", secret)
    assert [(e.user, e.feedback_count) for e in found] == [(ada, 0), (bob, 0), (ada, 1), (ada, 2), (bob, 1)]


def test_population_without_noise_uses_the_feedback_of_few_users(history: Path) -> None:
    """The setting `exact` has other predictions as soon as there is a version, of which it makes as many."""
    model = DeployedModel(Job(Settings(embedded=True, population="exact"), (history,), bounded=True))
    exact, noisy = examples(model), examples(deployed(history))
    assert [e.p for e in exact[:250]] == [e.p for e in noisy[:250]]
    assert exact[600].p != noisy[600].p
    assert model.counters.learning.version > 2


def test_no_prediction_depends_on_its_feedback(tmp_path: Path) -> None:
    """The reversal of the last feedback changes no prediction, and earlier likes raise the last one."""
    before = [granted("ada"), *(answer("ada", number) for number in range(1, 12))]
    found = [of_lines(tmp_path, *before, answer("ada", 12, kind=kind)) for kind in ("thumbs_up", "thumbs_down")]
    assert [e.p for e in found[0]] == [e.p for e in found[1]]
    assert [e.liked for e in found[0]] != [e.liked for e in found[1]]
    assert found[0][0].p == 0.5
    assert found[0][-1].p > 0.65


def test_feedback_that_a_run_ignores_is_no_example(tmp_path: Path) -> None:
    """A run ignores duplicates, sensitive topics, answers without feedback, users without consent, and rejects."""
    model = deployed(
        write_lines(
            tmp_path / "events.jsonl",
            [
                granted("ada"), answer("ada", 1), answer("ada", 1), answer("ada", 2, topic="health"),
                make_event(user_id="ada", event_id="plain"), answer("eve", 1), {"no": "event"}, DENIED,
                answer("ada", 3),
            ],
        )
    )  # fmt: skip
    assert len(examples(model)) == 1
    outcomes = model.counters.events.outcomes
    assert (outcomes[Outcome.DUPLICATE], outcomes[Outcome.UNCONSENTED]) == (1, 2)
    assert sum(model.counters.events.rejects.values()) == 1


def test_files_are_one_stream(tmp_path: Path) -> None:
    """Feedback in the first file counts in the second."""
    first = write_lines(tmp_path / "a.jsonl", [granted("ada"), answer("ada", 1)])
    second = write_lines(tmp_path / "b.jsonl", [answer("ada", 2)])
    assert [e.feedback_count for e in examples(deployed(first, second))] == [0, 1]


def test_population_model_is_trained(history: Path) -> None:
    """Each 250 examples make a version at first, and the first predictions for new users come from it."""
    learning, alone = deployed(history), deployed(history, fixed_prior=Prior(NumberedCatalogue.load()))
    found, without = examples(learning), examples(alone)
    assert learning.counters.learning.version == len(found) // 250 >= 2
    assert alone.counters.learning.version == 0
    assert [replace(e, p=0.0) for e in found][:250] == [replace(e, p=0.0) for e in without][:250]
    newcomers = [e.p for e in found[2_000:] if not e.feedback_count]
    assert newcomers
    assert all(p != 0.5 for p in newcomers)
    assert all(e.p == 0.5 for e in without if not e.feedback_count)


def test_two_evaluations_agree(history: Path) -> None:
    """No clock has an influence on the predictions."""
    assert examples(deployed(history)) == examples(deployed(history))


def test_cpu_time_of_prediction_and_training_is_measured(history: Path) -> None:
    """The time is above 0."""
    model = deployed(history)
    assert examples(model)
    assert model.cpu_s > 0
