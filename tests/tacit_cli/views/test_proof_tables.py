"""Tables of proof: estimates in words, and the reason for each that is missing."""

import pytest
from rich.console import Console

from state.learning.proof import Proof
from state.learning.proof_report import Compared, ProofReport
from tacit_cli.views.proof_tables import (
    NO_CHALLENGERS,
    NO_CHOICES,
    NO_HOLDOUT,
    NO_PROPOSALS,
    proof_lines,
    why_none,
)
from tests.support.factories import CATALOGUE
from tests.support.sample_proof import REPORT


def shown(report: ProofReport) -> str:
    console = Console(width=120, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(*proof_lines("live", report), sep="\n")
    return capture.get()


def row(text: str, start: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(start))


def test_estimates_are_shown_with_interval_and_words() -> None:
    """An interval above 0 is better, and one around 0 shows no difference."""
    text, better, none = shown(REPORT), "better", "no difference shown"
    assert text.startswith("live: 12,345 answers with feedback")
    assert row(text, "all facets") == f"all facets 5,000 0.620 0.550 +0.070 +0.030 to +0.110 {better}".split()
    assert row(text, "length") == f"length 900 0.510 0.500 +0.010 -0.040 to +0.060 {none}".split()
    assert "the estimate stands for length 85% of the answers only" in text
    assert row(text, "0.5")[-2:] == ["too", "sure"]
    assert row(text, "river.")[1:4] == ["10%", "700", "0.6100"]


def test_missing_estimate_has_its_reason() -> None:
    """With nothing at all, each section has the next step."""
    assert why_none(Compared(40, 12)) == "12 of 30 effective answers: wait"
    assert why_none(Compared(40, 31)) == "answers of fewer than 20 users on one side: wait"
    assert "12 of 30 effective answers: wait" in shown(REPORT)
    text = shown(Proof(CATALOGUE).report())
    for reason in (NO_HOLDOUT, NO_CHOICES, NO_PROPOSALS, NO_CHALLENGERS):
        assert reason in text


@pytest.mark.parametrize("width", [80, 120])
def test_no_table_is_wider_than_the_terminal(width: int) -> None:
    """Numbers are whole."""
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(*proof_lines("live", REPORT), sep="\n")
    text = capture.get()
    assert max(map(len, text.splitlines())) <= width
    assert "+0.030 to +0.110" in text
    assert "0.6100" in text
    assert "-0.0100 to +0.0300" in text
