"""dataflows/control/export_page: a page that needs nothing but itself, and shows text as text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from dataflows.control.export_document import EmittedSignal, RedisKey, RedisPart
from dataflows.control.export_file import write_private
from dataflows.control.export_page import page
from dataflows.control.export_parts import ABOUT
from state.errors import StorageError
from state.user.user_state import UserState
from tests.dataflows.control.test_export import export_of, full_state
from tests.support.factories import CATALOGUE

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
VOID = {"meta"}


class Elements(HTMLParser):
    """Elements of a page, checked for closed tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


FULL = page(export_of(full_state()))


def test_page_is_whole() -> None:
    """Each element is closed."""
    assert not Elements(FULL).open


def test_page_loads_and_runs_nothing() -> None:
    """No script, no link, no image, no address, and a policy that forbids them."""
    elements = Elements(FULL).found
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & {tag for tag, _ in elements}
    assert not any(name.startswith("on") or name in {"src", "href"} for _, found in elements for name in found)
    assert not re.search(r"url\(|@import|https?:", FULL)
    policies = [found["content"] for _, found in elements if found.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_page_is_accessible() -> None:
    """It has a language, one first heading, headings without a gap, captions, headed tables and named meters."""
    elements = Elements(FULL).found
    tags = [tag for tag, _ in elements]
    assert ("html", {"lang": "en"}) in elements
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip([0, *levels], levels, strict=False))
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    assert all(found.get("scope") in {"col", "row"} for tag, found in elements if tag == "th")
    assert all(found.get("aria-label") for tag, found in elements if tag == "meter")
    ids = [str(found["id"]) for _, found in elements if "id" in found]
    assert sorted(ids) == sorted(set(ids))
    assert {found["aria-labelledby"] for _, found in elements if "aria-labelledby" in found} <= set(ids)


def test_foreign_text_is_shown_as_text() -> None:
    """Redis and catalogues may hold any text."""
    export = export_of(full_state())
    assert export.emitted is not None
    emitted = replace(export.emitted, facets={HOSTILE: EmittedSignal(HOSTILE, "hint", 0.5, 3.0, 0.0, {}, 1)})
    redis = RedisPart(ABOUT["redis"], (RedisKey("tacit:v1:eu:x", None, {HOSTILE: HOSTILE}),))
    text = page(replace(export, emitted=emitted, redis=redis))
    elements = Elements(text)
    assert not elements.open
    assert not {"script", "img"} & {tag for tag, _ in elements.found}
    assert "".join(elements.text).count(HOSTILE) == 4


def test_page_of_a_new_user() -> None:
    """Parts that hold nothing are left out."""
    text = page(export_of(UserState(CATALOGUE)))
    assert not Elements(text).open
    assert "Beliefs" not in text


def test_page_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """The mode is 600, also in place of a file that others could read."""
    path = tmp_path / "user.html"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_page_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(StorageError, match=r"user\.html cannot be written: No such file or directory"):
        write_private(tmp_path / "missing" / "user.html", "text")
