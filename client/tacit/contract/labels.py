"""Labels of a catalogue in one language: plain words for users in place of the names that events have."""

import re
from collections.abc import Collection, Iterator, Mapping

import msgspec

MAX_LANGUAGES = 64
MAX_LABEL = 200

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
_PLACEHOLDER = re.compile(r"\{(answers|times)\}")


class ValueLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Label of a value, and of answers with the value by the plural categories of the language (Unicode CLDR)."""

    name: str
    other: str
    """Answers of any number without a form."""
    zero: str | None = None
    one: str | None = None
    two: str | None = None
    few: str | None = None
    many: str | None = None

    def answers(self, category: str) -> str:
        """Return the form of a plural category.

        >>> ValueLabel("short", other="short answers", one="short answer").answers("one")
        'short answer'
        """
        return getattr(self, category, None) or self.other


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels in one language. A name without a label is shown unchanged, and such a facet by the title."""

    facets: dict[str, str] = {}
    values: dict[str, dict[str, ValueLabel]] = {}
    """Facet → value → label."""
    topics: dict[str, str] = {}
    surfaces: dict[str, str] = {}
    feedback: dict[str, str] = {}
    """Feedback kind → clause with the placeholder `{answers}` or `{times}`."""


def label_problems(
    labels: Mapping[str, Labels], values: Mapping[str, Collection[str]], names: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """Yield the problems of all labels.

    Args:
        labels: language → labels.
        values: facet → values.
        names: table of `Labels` → names of the catalogue.
    """
    if len(labels) > MAX_LANGUAGES:
        yield f"labels: {len(labels)} languages; at most {MAX_LANGUAGES} are allowed"
    for language, found in labels.items():
        where = f"labels.{language}"
        if not _LANGUAGE.fullmatch(language):
            yield f"{where}: {language!r} is not a language ({_LANGUAGE.pattern})"
        for table, allowed in names.items():
            yield from _table_problems(f"{where}.{table}", getattr(found, table), allowed)
        for facet, by_value in found.values.items():
            yield from _value_problems(f"{where}.values.{facet}", by_value, values.get(facet))
        for kind, clause in found.feedback.items():
            if re.search(r"[{}]", _PLACEHOLDER.sub("", clause, count=1)):
                yield f"{where}.feedback.{kind}: one {{answers}} or {{times}}, and no other brace"


def _table_problems(where: str, texts: Mapping[str, str], allowed: Collection[str]) -> Iterator[str]:
    for name, text in texts.items():
        if name not in allowed:
            yield f"{where}: {name!r} is not in the catalogue"
        yield from _text_problems(f"{where}.{name}", text)


def _value_problems(where: str, labels: Mapping[str, ValueLabel], allowed: Collection[str] | None) -> Iterator[str]:
    if allowed is None:
        yield f"{where}: the facet is not in the catalogue"
        return
    for value, label in labels.items():
        if value not in allowed:
            yield f"{where}: {value!r} is not one of its values"
        for form, text in msgspec.structs.asdict(label).items():
            if text is not None:
                yield from _text_problems(f"{where}.{value}.{form}", text)


def _text_problems(where: str, text: str) -> Iterator[str]:
    if not 0 < len(text) <= MAX_LABEL or not text.isprintable():
        yield f"{where}: one line of 1 to {MAX_LABEL} characters"
