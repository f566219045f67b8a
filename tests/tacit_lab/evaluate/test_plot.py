"""Plot of an evaluation: a PNG or SVG file, checked before the evaluation."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from state.errors import SinkError
from tacit.errors import ConfigurationError
from tacit_lab.evaluate import Evaluation, baselines, compare, plot, require_plot
from tests.support.examples import make_example, tastes
from tests.support.repeated_reads import read_repeatedly


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Return an evaluation of users with tastes, with items."""
    return compare([tastes(1_500, items=9)], baselines())


def test_png_is_a_picture(evaluation: Evaluation, tmp_path: Path) -> None:
    """The picture has room for two panels."""
    plot(evaluation, tmp_path / "figures.png")
    data = (tmp_path / "figures.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert width > 1_500
    assert height > 700


def test_svg_names_models_axes_and_steps(evaluation: Evaluation, tmp_path: Path) -> None:
    """The text of an SVG is searchable."""
    plot(evaluation, tmp_path / "figures.svg")
    root = ElementTree.fromstring((tmp_path / "figures.svg").read_bytes())  # noqa: S314  the test wrote the file
    texts = {" ".join(text.itertext()).strip() for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {model.title for model in evaluation.models} <= texts
    assert {"1", "2", "3–5", "6–10", "11–20", "21–50", "51–100", "101+"} <= texts
    assert "mean log loss (nats; less is better)" in texts
    assert "predicted chance of a like" in texts
    assert any(text.startswith("Calibration of Tacit: expected error 0.") for text in texts)


def test_reader_finds_a_complete_picture(evaluation: Evaluation, tmp_path: Path) -> None:
    """Each PNG file that a reader finds has its last chunk, IEND."""
    path = tmp_path / "figures.png"
    plot(evaluation, path)
    with read_repeatedly(path) as found:
        plot(evaluation, path)
    assert all(data.endswith(b"IEND\xaeB`\x82") for data in found)


@pytest.mark.parametrize("feedback", [0, 3])
def test_few_examples_give_a_plot(feedback: int, tmp_path: Path) -> None:
    """The panels are empty, without a warning."""
    found = compare([[make_example(feedback_count=n) for n in range(feedback)]], baselines())
    plot(found, tmp_path / "figures.png")
    assert (tmp_path / "figures.png").stat().st_size > 1_000


def test_other_suffix_and_missing_folder_are_errors(tmp_path: Path) -> None:
    """One error has a sentence for each."""
    with pytest.raises(ConfigurationError) as caught:
        require_plot(tmp_path / "none" / "figures.pdf")
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["plot"] * 2
    assert "must end in .png or .svg" in caught.value.problems[0]
    assert "is no folder" in caught.value.problems[1]


def test_missing_matplotlib_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'tacit-worker\[plot\]'"):
        require_plot(tmp_path / "figures.png")


def test_unwritable_file_is_a_sink_error(evaluation: Evaluation, tmp_path: Path) -> None:
    """The error names the file and the cause."""
    (tmp_path / "figures.png").mkdir()
    with pytest.raises(SinkError, match=r"figures\.png cannot be written: Is a directory"):
        plot(evaluation, tmp_path / "figures.png")
