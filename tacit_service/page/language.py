"""Languages of the page: messages of a catalogue (gettext), and dates, numbers and lists in the form of a locale."""

import gettext
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_skeleton
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

FOLDER = Path(__file__).with_name("languages")
"""A message catalogue per language, `de.po`. The English texts are the keys of the messages."""
SOURCE = "en"

_MAX_HEADER = 200


@dataclass(frozen=True, slots=True)
class Language:
    """Language with messages. Times are shown in UTC."""

    code: str
    """`en`, `de`."""
    locale: Locale = field(repr=False)
    messages: gettext.NullTranslations = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the language for speakers of the language."""
        return self.locale.get_display_name(self.code) or self.code

    def gettext(self, message: str, **values: object) -> str:
        """Return a message with values filled in."""
        text = self.messages.gettext(message)
        return text % values if values else text

    def ngettext(self, one: str, other: str, number: int, **values: object) -> str:
        """Return a message in the form for a number, which fills in `%(number)s`."""
        return self.messages.ngettext(one, other, number) % {"number": self.number(number), **values}

    def category(self, number: int) -> str:
        """Return the plural category of a number (Unicode CLDR)."""
        return str(self.locale.plural_form(number))

    def number(self, number: float) -> str:
        """Return a number in the form of the language."""
        return format_decimal(number, locale=self.locale)

    def percent(self, share: float) -> str:
        """Return a share, 0–1, as whole percents."""
        return format_percent(share, format=None, locale=self.locale)

    def day(self, at_ms: int, now_ms: int) -> str:
        """Return the day of a time; the year only if not the present year."""
        at, now = _utc(at_ms), _utc(now_ms)
        return format_skeleton("MMMMd" if at.year == now.year else "yMMMMd", at, locale=self.locale)

    def moment(self, at_ms: int, now_ms: int) -> str:
        """Return day, time and time zone of a time."""
        clock = format_skeleton("Hm", _utc(at_ms), locale=self.locale)
        return f"{self.day(at_ms, now_ms)}, {clock} UTC"

    def all_of(self, parts: Iterable[str], style: Literal["standard", "unit"] = "standard") -> str:
        """Return parts as a list in words."""
        return format_list(list(parts), style=style, locale=self.locale)


class Languages:
    """All languages of the page, read from the message catalogues at the start."""

    def __init__(self, folder: Path = FOLDER) -> None:
        source = Language(SOURCE, Locale.parse(SOURCE), gettext.NullTranslations())
        read = (_read(path) for path in sorted(folder.glob("*.po")))
        self._by_code: Mapping[str, Language] = {SOURCE: source} | {language.code: language for language in read}

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_code.values())

    def get(self, tag: str | None) -> Language | None:
        """Return the language of a tag (`de`, `de-AT`); None: not a language of the page."""
        return self._by_code.get((tag or "").partition("-")[0].lower())

    def chosen(self, *wanted: str | None, accept: str = "") -> Language:
        """Return the first language that exists: of the tags, of an Accept-Language header, or English.

        >>> Languages().chosen(None, "fr", accept="fr-CH, de;q=0.7, en;q=0.8").code
        'en'
        """
        for tag in (*wanted, *_accepted(accept)):
            if found := self.get(tag):
                return found
        return self._by_code[SOURCE]


def _read(path: Path) -> Language:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    data = BytesIO()
    write_mo(data, catalogue)
    data.seek(0)
    return Language(path.stem, Locale.parse(path.stem), gettext.GNUTranslations(data))


def _accepted(header: str) -> list[str]:
    """Return the language tags of an Accept-Language header, by falling quality."""
    found = []
    for part in header[:_MAX_HEADER].split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            found.append((float(quality or 1), tag))
        except ValueError:
            continue
    return [tag for quality, tag in sorted(found, key=lambda pair: -pair[0]) if quality > 0]


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
