"""The site is built without a warning, and no page loads anything from another host."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.pages import ROOT

QUIET = {"DISABLE_MKDOCS_2_WARNING": "true", "NO_MKDOCS_2_WARNING": "1"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a built site; a dead link or a page outside the navigation is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


class Loads(HTMLParser):
    """Collects the addresses that a browser loads with a page; links that a reader follows are none."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of a tag."""
        given = dict(attrs)
        names = ("href",) if tag == "link" else ("src", "srcset", "data", "poster", "action")
        self.addresses += [value for name in names if tag != "a" and (value := given.get(name))]


def loaded(site: Path) -> Iterator[tuple[str, str]]:
    """Yield each page or style sheet with an address that it loads."""
    for page in site.rglob("*.html"):
        parser = Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        yield from ((page.name, address) for address in parser.addresses)
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        yield from ((sheet.name, address) for address in re.findall(r"(?:url\(|@import\s+)['\"]?([^'\")]+)", text))


def test_nothing_comes_from_another_host(site: Path) -> None:
    """Style sheets, scripts, fonts and pictures are files of the site."""
    addresses = list(loaded(site))
    assert len(addresses) > 50
    assert [(page, address) for page, address in addresses if re.match(r"(?:\w+:)?//", address)] == []


def test_every_role_and_reference_has_a_page(site: Path) -> None:
    """The generated pages are part of the site."""
    pages = {str(path.relative_to(site)) for path in site.rglob("*.html")}
    references = ("cli", "settings", "metrics", "events", "signals", "rejects", "python")
    roles = ("assistant-engineer", "operator", "data-engineer", "privacy-reviewer")
    assert {f"reference/{name}.html" for name in references} <= pages
    assert {f"guides/{role}.html" for role in roles} <= pages


def test_python_reference_has_the_public_names(site: Path) -> None:
    """Every public name of `tacit` is on the page."""
    import tacit

    page = (site / "reference/python.html").read_text(encoding="utf-8")
    assert [name for name in tacit.__all__ if f">{name}<" not in page and f"tacit.{name}" not in page] == []
