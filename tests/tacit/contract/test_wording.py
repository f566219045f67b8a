"""tacit/contract/wording: runner-up and gap in words."""

import pytest

from tacit.contract.wording import rather_than


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0.4, "rather than table, clearly"),
        (0.15, "rather than table, clearly"),
        (0.149, "rather than table, somewhat"),
        (0.05, "rather than table, somewhat"),
        (0.049, "rather than table, slightly"),
        (-0.1, "rather than table, slightly"),
        (None, "rather than table"),
    ],
)
def test_gap_has_a_degree(gap: float | None, words: str) -> None:
    """Three degrees."""
    assert rather_than("table", gap) == words


def test_no_runner_up_no_words() -> None:
    """A pin has none."""
    assert rather_than(None, 0.4) == ""
