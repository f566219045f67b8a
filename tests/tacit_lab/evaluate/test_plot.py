"""The picture of an evaluation: written as what its name states, or refused before anything is computed."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from state.errors import SinkError
from tacit.errors import ConfigurationError
from tacit_lab.evaluate import Evaluation, baselines, compare, plot, require_plot
from tests.support.examples import make_example, tastes


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Return an evaluation of users with tastes, and of items."""
    return compare([tastes(1_500, items=9)], baselines())


def test_png_is_a_picture(evaluation: Evaluation, tmp_path: Path) -> None:
    """Wide enough for two panels."""
    plot(evaluation, tmp_path / "figures.png")
    data = (tmp_path / "figures.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert width > 1_500
    assert height > 700


def test_svg_names_models_axes_and_steps(evaluation: Evaluation, tmp_path: Path) -> None:
    """As words, which can be searched and read aloud."""
    plot(evaluation, tmp_path / "figures.svg")
    root = ElementTree.fromstring((tmp_path / "figures.svg").read_bytes())  # noqa: S314  # our own
    words = {" ".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {model.title for model in evaluation.models} <= words
    assert {"1", "2", "3–5", "6–10", "11–20", "21–50", "51–100", "101+"} <= words
    assert "log loss of a piece of feedback (nats; less is better)" in words
    assert "predicted chance of a like" in words
    assert any(each.startswith("Calibration of Tacit: expected error 0.") for each in words)


@pytest.mark.parametrize("feedback", [0, 3])
def test_little_can_be_drawn_too(feedback: int, tmp_path: Path) -> None:
    """Empty panels, and no warning."""
    found = compare([[make_example(feedback_count=n) for n in range(feedback)]], baselines())
    plot(found, tmp_path / "figures.png")
    assert (tmp_path / "figures.png").stat().st_size > 1_000


def test_other_kinds_of_file_are_refused(tmp_path: Path) -> None:
    """Together with a folder that is not there."""
    with pytest.raises(ConfigurationError) as refused:
        require_plot(tmp_path / "none" / "figures.pdf")
    assert [problem.partition(": ")[0] for problem in refused.value.problems] == ["plot"] * 2
    assert "must end in .png or .svg" in refused.value.problems[0]
    assert "is no folder" in refused.value.problems[1]


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the extra that has it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tacit-worker\[plot\]'"):
        require_plot(tmp_path / "figures.png")


def test_file_that_cannot_be_written_is_an_error(evaluation: Evaluation, tmp_path: Path) -> None:
    """In a sentence."""
    (tmp_path / "figures.png").mkdir()
    with pytest.raises(SinkError, match=r"figures\.png cannot be written: Is a directory"):
        plot(evaluation, tmp_path / "figures.png")
