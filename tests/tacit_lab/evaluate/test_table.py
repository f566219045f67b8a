"""The table of an evaluation: a line per model, the best of each column marked, and 80 columns wide at most."""

import pytest
from rich.console import Console

from tacit_lab.evaluate import Evaluation, baselines, compare, evaluation_table
from tests.support.examples import make_example, tastes


def _lines(evaluation: Evaluation, *, colour: bool = False) -> list[str]:
    console = Console(
        width=80, highlight=False, markup=False, emoji=False,
        force_terminal=colour, color_system="standard" if colour else None,
    )  # fmt: skip
    with console.capture() as capture:
        console.print(evaluation_table(evaluation))
    return capture.get().splitlines()


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Return an evaluation of users with tastes, and of items."""
    found = compare([tastes(2_000, items=9)], baselines())
    found.deployed.cpu_s = 0.0246
    found.counters.source.records = 2_500
    return found


def test_every_model_has_its_line(evaluation: Evaluation) -> None:
    """The deployed one first, nothing cut off."""
    heading, *lines = _lines(evaluation)
    assert heading.split()[-9:] == ["1–5", "6–20", "21+", "all", "AUC", "right", "ECE", "CPU", "µs"]
    for model, line in zip(evaluation.models, lines, strict=False):
        assert line.startswith(model.title)
    assert not any("…" in line for line in lines)
    tacit = lines[0].split()
    assert (tacit[:6], tacit[-1]) == (["Tacit", "0.693", "0.693", "0.693", "0.693", "0.500"], "12")


def test_best_of_each_column_is_marked(evaluation: Evaluation) -> None:
    """All of those that look alike."""
    lines = _lines(evaluation)[1 : 1 + len(evaluation.models)]
    cells = [line.removeprefix(model.title).split() for model, line in zip(evaluation.models, lines, strict=True)]
    for number, column in enumerate(zip(*cells, strict=True)):
        best = (max if number in {4, 5} else min)(float(cell.rstrip("*")) for cell in column)
        assert [cell.endswith("*") for cell in column] == [float(cell.rstrip("*")) == best for cell in column]


def test_deployed_model_is_bold(evaluation: Evaluation) -> None:
    """Where there are styles."""
    lines = _lines(evaluation, colour=True)[1:]
    assert lines[0].startswith("\x1b[1m")
    assert not lines[1].startswith("\x1b[1m")


def test_caption_says_what_was_scored(evaluation: Evaluation) -> None:
    """How much of what was read."""
    words = " ".join(" ".join(_lines(evaluation)[1 + len(evaluation.models) :]).split())
    assert words.startswith(
        "2,500 events (0 rejected): 2,000 pieces of feedback of 20 users, the last 1,400 of them scored"
    )
    assert "calibration error (10 bins)" in words


def test_what_was_not_measured_is_a_dash() -> None:
    """No user has judged so much, or nothing was judged at all."""
    few = _lines(compare([[make_example(liked=False), make_example(liked=True, feedback_count=1)]], baselines()))
    assert few[1].replace("*", "").split()[:6] == ["Tacit", "0.693", "–", "–", "0.693", "0.500"]
    none = _lines(compare([], baselines()))
    assert none[1].split()[:8] == ["Tacit", *"–––––––"]


def test_json_has_every_figure_by_name(evaluation: Evaluation) -> None:
    """Per model, part and bucket."""
    found = evaluation.as_dict()
    models = found.pop("models")
    assert found == {
        "events": 2_500, "rejected": 0, "users": 20, "feedback": 2_000, "scored_from": 600, "calibration_bins": 10,
    }  # fmt: skip
    assert list(models) == [model.name for model in evaluation.models]
    for model in models.values():
        assert set(model) == {"title", "cpu_us_per_event", "last_70", "overall"}
        for part, n in (("last_70", 1_400), ("overall", 2_000)):
            assert list(model[part]) == ["1-5", "6-20", "21+", "all"]
            assert all(set(figures) == {"n", "log_loss", "auc", "accuracy", "ece"} for figures in model[part].values())
            *buckets, everything = model[part].values()
            assert sum(figures["n"] for figures in buckets) == everything["n"] == n
    assert models["tacit"]["cpu_us_per_event"] == 12.3
    tacit = models["tacit"]["overall"]["all"]
    assert (tacit["log_loss"], tacit["auc"]) == (0.693147, 0.5)
