"""Option with an optional number: the default fills in, and nothing else changes."""

import pytest

from tacit_cli.optional_value import fill_in


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["ada", "--wait"], ["ada", "--wait=10"]),
        (["--wait", "ada", "no"], ["--wait=10", "ada", "no"]),
        (["--wait", "2.5", "ada"], ["--wait", "2.5", "ada"]),
        (["--wait=3", "ada"], ["--wait=3", "ada"]),
        (["ada", "--wait", "--json"], ["ada", "--wait=10", "--json"]),
        (["--", "--wait"], ["--", "--wait"]),
    ],
)
def test_words_of_a_command_line(words: list[str], expected: list[str]) -> None:
    """Each place of the option."""
    assert fill_in(words) == expected
