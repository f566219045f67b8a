"""The deployed model on a stream: what it predicts is what it states before it learns, of what it may learn from."""

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
from tacit_lab.evaluate.prequential import Deployed
from tests.support.factories import START_MS, make_event
from tests.support.replays import write_history, write_lines

DENIED = make_event(type="consent", granted=False, event_id="no")


def judged(user: str, number: int, *, kind: str = "thumbs_up", length: str = "concise", **more: Any) -> dict[str, Any]:
    """Return a judged answer, a minute after the one before."""
    return make_event(
        user_id=user, event_id=f"{user}-{number}", at=START_MS + number * 60_000,
        served={"length": length}, feedback={"kind": kind}, **more,
    )  # fmt: skip


def granted(user: str) -> dict[str, Any]:
    """Return that user's consent, from the beginning on."""
    return make_event(type="consent", user_id=user, event_id=f"{user}-yes", granted=True)


def deployed(*paths: Path, keeps_to: Prior | None = None) -> Deployed:
    """Return the model of Copilot's catalogue on files."""
    return Deployed(Job(Settings(embedded=True), paths, bounded=True), keeps_to)


def examples(model: Deployed) -> list[Example]:
    """Return everything the stream has to judge."""
    return [example for batch in model.examples() for example in batch]


def of_lines(folder: Path, *lines: Mapping[str, Any], keeps_to: Prior | None = None) -> list[Example]:
    """Return what events in a file have to judge."""
    path = write_lines(folder / "events.jsonl", lines)
    return examples(deployed(path, keeps_to=keeps_to))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated history with more than two versions' worth of pieces of feedback."""
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    write_history(path, users=150, turns=7_000)
    return path


def test_judgements_come_in_the_order_of_the_stream(tmp_path: Path) -> None:
    """Of all users, as far as they agreed; each with the count of their own before it."""
    users = [("ada", 1), ("bob", 1), ("ada", 2), ("eve", 1), ("ada", 3), ("bob", 2)]
    lines = [granted("ada"), granted("bob"), *(judged(user, number) for user, number in users)]
    found = of_lines(tmp_path, *lines)
    secret = Settings(embedded=True).secret_bytes
    ada, bob = pseudonym("ada", secret), pseudonym("bob", secret)
    assert [(e.user, e.feedback_count) for e in found] == [(ada, 0), (bob, 0), (ada, 1), (ada, 2), (bob, 1)]


def test_no_prediction_knows_its_judgement(tmp_path: Path) -> None:
    """With the last piece of feedback turned round, nothing that was predicted is another; and it does learn."""
    before = [granted("ada"), *(judged("ada", number) for number in range(1, 12))]
    found = [of_lines(tmp_path, *before, judged("ada", 12, kind=kind)) for kind in ("thumbs_up", "thumbs_down")]
    assert [e.p for e in found[0]] == [e.p for e in found[1]]
    assert [e.liked for e in found[0]] != [e.liked for e in found[1]]
    assert found[0][0].p == 0.5
    assert found[0][-1].p > 0.65


def test_what_a_run_would_not_learn_from_is_not_scored(tmp_path: Path) -> None:
    """Duplicates, sensitive topics, answers without feedback, users without consent, and what is no event."""
    model = deployed(
        write_lines(
            tmp_path / "events.jsonl",
            [
                granted("ada"), judged("ada", 1), judged("ada", 1), judged("ada", 2, topic="health"),
                make_event(user_id="ada", event_id="plain"), judged("eve", 1), {"no": "event"}, DENIED,
                judged("ada", 3),
            ],
        )
    )  # fmt: skip
    assert len(examples(model)) == 1
    outcomes = model.counters.events.outcomes
    assert (outcomes[Outcome.DUPLICATE], outcomes[Outcome.UNCONSENTED]) == (1, 2)
    assert sum(model.counters.events.rejects.values()) == 1


def test_files_are_one_stream(tmp_path: Path) -> None:
    """What a user judged in the first counts in the second."""
    first = write_lines(tmp_path / "a.jsonl", [granted("ada"), judged("ada", 1)])
    second = write_lines(tmp_path / "b.jsonl", [judged("ada", 2)])
    assert [e.feedback_count for e in examples(deployed(first, second))] == [0, 1]


def test_everybody_is_learned_of(history: Path) -> None:
    """A version every 1,000 pieces of feedback, from which newcomers' first predictions come."""
    learning, alone = deployed(history), deployed(history, keeps_to=Prior(NumberedCatalogue.load()))
    found, without = examples(learning), examples(alone)
    assert learning.counters.learning.version == len(found) // 1_000 >= 2
    assert alone.counters.learning.version == 0
    assert [replace(e, p=0.0) for e in found][:1_000] == [replace(e, p=0.0) for e in without][:1_000]
    newcomers = [e.p for e in found[2_000:] if not e.feedback_count]
    assert newcomers
    assert all(p != 0.5 for p in newcomers)
    assert all(e.p == 0.5 for e in without if not e.feedback_count)


def test_two_evaluations_agree(history: Path) -> None:
    """To the last bit: no clock has a state."""
    assert examples(deployed(history)) == examples(deployed(history))


def test_time_of_predicting_and_learning_is_measured(history: Path) -> None:
    """Reading and parsing are not part of it."""
    model = deployed(history)
    assert examples(model)
    assert model.cpu_s > 0
