"""Table of an evaluation: a line per model, a mark on the best of each column, at most 80 columns wide."""

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
    """Return an evaluation of users with tastes, with items."""
    found = compare([tastes(2_000, items=9)], baselines())
    found.deployed.cpu_s = 0.0246
    found.counters.source.records = 2_500
    return found


def test_each_model_has_a_line(evaluation: Evaluation) -> None:
    """The deployed model is first, and no text is cut off."""
    heading, *lines = _lines(evaluation)
    assert heading.split()[-9:] == ["1–5", "6–20", "21+", "all", "AUC", "right", "ECE", "CPU", "µs"]
    for model, line in zip(evaluation.models, lines, strict=False):
        assert line.startswith(model.title)
    assert not any("…" in line for line in lines)
    tacit = lines[0].split()
    assert (tacit[:6], tacit[-1]) == (["Tacit", "0.693", "0.693", "0.693", "0.693", "0.500"], "12")


def test_best_of_each_column_is_marked(evaluation: Evaluation) -> None:
    """All values with the same text as the best one have a mark."""
    lines = _lines(evaluation)[1 : 1 + len(evaluation.models)]
    cells = [line.removeprefix(model.title).split() for model, line in zip(evaluation.models, lines, strict=True)]
    for number, column in enumerate(zip(*cells, strict=True)):
        best = (max if number in {4, 5} else min)(float(cell.rstrip("*")) for cell in column)
        assert [cell.endswith("*") for cell in column] == [float(cell.rstrip("*")) == best for cell in column]


def test_deployed_model_is_bold(evaluation: Evaluation) -> None:
    """A terminal with colours shows the style."""
    lines = _lines(evaluation, colour=True)[1:]
    assert lines[0].startswith("\x1b[1m")
    assert not lines[1].startswith("\x1b[1m")


def test_caption_has_the_counts(evaluation: Evaluation) -> None:
    """Events, feedback, users and scored feedback are in the caption."""
    caption = " ".join(" ".join(_lines(evaluation)[1 + len(evaluation.models) :]).split())
    assert caption.startswith(
        "2,500 events (0 rejected), 2,000 answers with feedback of 20 users. The last 1,400 answers are scored"
    )
    assert "calibration error (10 bins)" in caption


def test_missing_figure_is_a_dash() -> None:
    """A bucket or a whole stream may be without feedback."""
    few = _lines(compare([[make_example(liked=False), make_example(liked=True, feedback_count=1)]], baselines()))
    assert few[1].replace("*", "").split()[:6] == ["Tacit", "0.693", "–", "–", "0.693", "0.500"]
    none = _lines(compare([], baselines()))
    assert none[1].split()[:8] == ["Tacit", *"–––––––"]


def test_json_has_each_figure_by_name(evaluation: Evaluation) -> None:
    """Figures are by model, part and bucket."""
    found = evaluation.as_dict()
    models = found.pop("models")
    assert found == {
        "events": 2_500, "rejected": 0, "reject_causes": [], "warning": None, "users": 20, "restarts": 0,
        "feedback": 2_000, "scored_from": 600, "calibration_bins": 10, "pairs": [],
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
