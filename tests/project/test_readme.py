"""README.md is short and shows the way: a snippet and a link for each role (tests/project/test_docs.py runs it)."""

import re
from collections.abc import Iterator

import pytest

from tests.support.pages import ROOT, Page

README = Page(ROOT / "README.md")
MAX_LINES = 100


def sections() -> Iterator[tuple[str, str]]:
    """Yield heading and text of each section."""
    _, *parts = re.split(r"^## ", README.text, flags=re.MULTILINE)
    for part in parts:
        heading, _, text = part.partition("\n")
        yield heading, text


def test_readme_is_short() -> None:
    """The rest is on the site."""
    assert len(README.text.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("role", ["assistant engineer", "operator", "data engineer", "privacy reviewer"])
def test_each_role_has_a_snippet_and_a_guide(role: str) -> None:
    """A reader of each role can copy a command or code, and follow a link."""
    text = dict(sections())[f"{role.capitalize()}s"]
    assert re.search(r"^```(console|python)$", text, re.MULTILINE)
    assert f"docs/guides/{role.replace(' ', '-')}.md" in text


def test_demo_shows_its_output() -> None:
    """The page shows real output, which tests/project/test_docs.py compares."""
    (shown,) = [shown for shown in README.commands() if shown.command == "make demo" and shown.output]
    assert len(shown.output) > 10
