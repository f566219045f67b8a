"""tacit_service/page/language: messages, dates, numbers, and the choice of a language."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tacit_service.page.language import FOLDER, Languages
from tests.tacit_service.page.samples import ENGLISH, GERMAN, LANGUAGES, NOW_MS

PAGE = FOLDER.parent
CATALOGUES = sorted(FOLDER.glob("*.po"))
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false"}}

Message = str | tuple[str, ...]


def used() -> set[Message]:
    """Return the messages of all modules and templates."""
    found = extract_from_dir(str(PAGE), METHODS, OPTIONS)
    return {message for _, _, message, _, _ in found if message}


def texts(message: Message | list[str] | None) -> Iterator[str]:
    yield from (message,) if isinstance(message, str) else message or ()


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_message_is_translated_and_none_is_unused(path: Path) -> None:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    messages = [message for message in catalogue if message.id]
    assert {message.id for message in messages} == used()
    assert [message.id for message in messages if message.fuzzy or not all(texts(message.string))] == []
    assert [message for message in messages if list(message.check(catalogue))] == []
    assert list(catalogue.obsolete) == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_placeholders_are_those_of_the_message(path: Path) -> None:
    """A singular may leave its number out."""
    with path.open("rb") as file:
        for message in read_po(file, locale=path.stem):
            wanted = set().union(*map(placeholders, texts(message.id)))
            found = [placeholders(text) for text in texts(message.string)] if message.id else []
            assert all(each | {"number"} == wanted | {"number"} and each <= wanted for each in found), message.id


def test_language_of_the_link_comes_before_that_of_the_browser() -> None:
    assert LANGUAGES.chosen("de-AT", accept="en").code == "de"
    assert LANGUAGES.chosen("fr", accept="de-CH;q=0.5, fr;q=0.9, en;q=0.4").code == "de"
    assert LANGUAGES.chosen(None, accept="en;q=0.1, de;q=0.05").code == "en"
    assert LANGUAGES.chosen(None, accept="de;q=0, en;q=x, ;;,").code == "en"
    assert LANGUAGES.chosen(None).code == "en"
    assert [each.name for each in LANGUAGES] == ["English", "Deutsch"]


def test_dates_and_numbers_follow_the_locale() -> None:
    before = NOW_MS - 400 * 86_400_000
    assert (ENGLISH.day(NOW_MS, NOW_MS), GERMAN.day(NOW_MS, NOW_MS)) == ("November 21", "21. November")
    assert (ENGLISH.day(before, NOW_MS), GERMAN.day(before, NOW_MS)) == ("October 17, 2025", "17. Oktober 2025")
    assert GERMAN.moment(NOW_MS, NOW_MS) == "21. November, 21:43 UTC"
    assert (ENGLISH.number(1234.5), GERMAN.number(1234.5)) == ("1,234.5", "1.234,5")
    assert GERMAN.all_of(["a", "b", "c"]) == "a, b und c"


def test_plural_forms_follow_the_language() -> None:
    assert [ENGLISH.ngettext("once", "%(number)s times", n) for n in (1, 2)] == ["once", "2 times"]
    assert [GERMAN.ngettext("once", "%(number)s times", n) for n in (1, 2)] == ["einmal", "2-mal"]


def test_english_needs_no_catalogue(tmp_path: Path) -> None:
    assert [each.code for each in Languages(tmp_path)] == ["en"]
