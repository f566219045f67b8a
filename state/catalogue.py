"""The closed vocabulary of one deployment: facets and values, topics, surfaces, feedback kinds.

Everything an event may name and a signal may say is in here; the rest of `state/` works with the numbers
(`Catalogue.slots`, indexes of topics, surfaces and feedback kinds) that this module gives to those names.
"""

import re
import tomllib
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from state.errors import CatalogueError

SHIPPED = Path(__file__).with_name("catalogue.toml")
"""The catalogue for Copilot that comes with the package."""

MAX_FACETS = 64
MAX_VALUES = 32
MAX_TOPICS = 4096
MAX_SURFACES = 256
MAX_FEEDBACK_KINDS = 64
MAX_TEXT = 200

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A table of the TOML file: immutable, and an unknown key is an error."""


class Facet(_Table, frozen=True):
    """A side of an answer's style: one of `values`, or several at once if `multiple`."""

    title: str
    values: tuple[str, ...]
    ordered: bool = False
    multiple: bool = False
    default: str | None = None
    prompt: dict[str, str] = {}


class Topics(_Table, frozen=True):
    """What a conversation is about; what is `sensitive` is never learned from and never counted."""

    values: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


class Surfaces(_Table, frozen=True):
    """Where the assistant answered: chat, editor and so on."""

    values: tuple[str, ...] = ()


class FeedbackKind(_Table, frozen=True):
    """What a person can do with an answer: a like or dislike (`label`), or a wish to `moves` an ordered facet."""

    weight: float = 1.0
    label: bool | None = None
    moves: dict[str, Literal["up", "down"]] = {}


class Consent(_Table, frozen=True):
    """Whether someone who has said nothing has agreed (`granted`) or not (`required`)."""

    default: Literal["required", "granted"] = "required"


class Slot(NamedTuple):
    """A value of a facet; its place in `Catalogue.slots` is its place in every packed array."""

    facet: int
    value: str


class Catalogue(_Table, frozen=True, rename={"schema_": "schema"}):
    """The vocabulary, and the numbers that stand for its names."""

    schema_: Literal[1]
    facets: dict[str, Facet]
    version: int = 1
    consent: Consent = Consent()
    topics: Topics = Topics()
    surfaces: Surfaces = Surfaces()
    feedback: dict[str, FeedbackKind] = {}

    @cached_property
    def facet_names(self) -> tuple[str, ...]:
        """Facets in the order of the file; a facet's index is its place here."""
        return tuple(self.facets)

    @cached_property
    def facet_index(self) -> dict[str, int]:
        """Facet name → index."""
        return {name: index for index, name in enumerate(self.facets)}

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """All values of all facets, facet by facet in the order of the file."""
        return tuple(Slot(i, value) for i, facet in enumerate(self.facets.values()) for value in facet.values)

    @cached_property
    def slot_facets(self) -> tuple[int, ...]:
        """Slot → its facet."""
        return tuple(slot.facet for slot in self.slots)

    @cached_property
    def slot_index(self) -> dict[str, dict[str, int]]:
        """Facet name → value → slot."""
        index: dict[str, dict[str, int]] = {name: {} for name in self.facets}
        for number, (facet, value) in enumerate(self.slots):
            index[self.facet_names[facet]][value] = number
        return index

    @cached_property
    def facet_slots(self) -> tuple[range, ...]:
        """Facet index → its slots, which are neighbours."""
        return tuple(range(min(s.values()), max(s.values()) + 1) for s in self.slot_index.values())

    @cached_property
    def default_slots(self) -> tuple[int | None, ...]:
        """Facet index → slot of the catalogue's default value, if it names one."""
        return tuple(
            None if facet.default is None else self.slot_index[name][facet.default]
            for name, facet in self.facets.items()
        )

    @cached_property
    def topic_index(self) -> dict[str, int]:
        """Topic → index."""
        return {name: index for index, name in enumerate(self.topics.values)}

    @cached_property
    def sensitive_topics(self) -> frozenset[int]:
        """Indexes of the topics that are never learned from and never counted."""
        return frozenset(self.topic_index[name] for name in self.topics.sensitive)

    @cached_property
    def surface_index(self) -> dict[str, int]:
        """Surface → index."""
        return {name: index for index, name in enumerate(self.surfaces.values)}

    @cached_property
    def feedback_names(self) -> tuple[str, ...]:
        """Feedback kinds in the order of the file; a kind's index is its place here."""
        return tuple(self.feedback)

    @cached_property
    def feedback_kinds(self) -> tuple[FeedbackKind, ...]:
        """Feedback kinds by index."""
        return tuple(self.feedback.values())

    @cached_property
    def feedback_index(self) -> dict[str, int]:
        """Feedback kind → index."""
        return {name: index for index, name in enumerate(self.feedback)}

    @cached_property
    def layout(self) -> bytes:
        """Fingerprint, 8 bytes, of all names and their order: state packed under one layout is read under no other."""
        names = (
            [(name, facet.values) for name, facet in self.facets.items()],
            self.topics.values,
            self.surfaces.values,
            self.feedback_names,
        )
        return blake2b(msgspec.json.encode(names), digest_size=8).digest()

    @classmethod
    def load(cls, path: Path = SHIPPED) -> "Catalogue":
        """Read a catalogue file.

        Raises:
            CatalogueError: naming the file and everything that is wrong with it.

        >>> Catalogue.load().facet_names
        ('length', 'format', 'tone', 'expertise', 'initiative')
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogueError([f"catalogue {path}: cannot be read: {error}"]) from error
        except CatalogueError as error:
            raise CatalogueError([f"catalogue {path}: {problem}" for problem in error.problems]) from error

    @classmethod
    def parse(cls, text: str) -> "Catalogue":
        """Read a catalogue from TOML text; errors as `load`."""
        try:
            catalogue = msgspec.convert(tomllib.loads(text), cls)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise CatalogueError([str(error)]) from error
        if problems := list(_problems(catalogue)):
            raise CatalogueError(problems)
        return catalogue


def _problems(catalogue: Catalogue) -> list[str]:
    found = []
    for table, names, most in (
        ("facets", catalogue.facets, MAX_FACETS),
        ("topics.values", catalogue.topics.values, MAX_TOPICS),
        ("surfaces.values", catalogue.surfaces.values, MAX_SURFACES),
        ("feedback", catalogue.feedback, MAX_FEEDBACK_KINDS),
    ):
        found += _name_problems(table, tuple(names), most)
    if not catalogue.facets:
        found.append("facets: at least one is needed")
    if not 1 <= catalogue.version <= 9999:
        found.append("version: a number from 1 to 9999")
    found += [
        f"topics.sensitive: {name!r} is not in topics.values"
        for name in catalogue.topics.sensitive
        if name not in catalogue.topics.values
    ]
    for name, facet in catalogue.facets.items():
        found += _facet_problems(f"facets.{name}", facet)
    for name, kind in catalogue.feedback.items():
        found += _feedback_problems(f"feedback.{name}", kind, catalogue)
    return found


def _name_problems(table: str, names: tuple[str, ...], most: int) -> list[str]:
    found = [f"{table}: {name!r} is not a name ({_NAME.pattern})" for name in names if not _NAME.fullmatch(name)]
    if len(names) > most:
        found.append(f"{table}: {len(names)} names; at most {most} are allowed")
    if len(set(names)) < len(names):
        found.append(f"{table}: a name stands there twice")
    return found


def _facet_problems(where: str, facet: Facet) -> list[str]:
    found = _name_problems(f"{where}.values", facet.values, MAX_VALUES)
    if len(facet.values) < 2:
        found.append(f"{where}.values: at least two are needed")
    if facet.ordered and facet.multiple:
        found.append(f"{where}: ordered and multiple exclude each other")
    if facet.default is not None and facet.default not in facet.values:
        found.append(f"{where}.default: {facet.default!r} is not one of its values")
    for value, text in facet.prompt.items():
        if value not in facet.values:
            found.append(f"{where}.prompt: {value!r} is not one of its values")
        if len(text) > MAX_TEXT or not text.isprintable():
            found.append(f"{where}.prompt.{value}: one line of at most {MAX_TEXT} characters")
    if not 0 < len(facet.title) <= MAX_TEXT or not facet.title.isprintable():
        found.append(f"{where}.title: one line of 1 to {MAX_TEXT} characters")
    return found


def _feedback_problems(where: str, kind: FeedbackKind, catalogue: Catalogue) -> list[str]:
    found = []
    if (kind.label is None) == (not kind.moves):
        found.append(f"{where}: needs either a label (true or false) or moves")
    if not 0 < kind.weight <= 1:
        found.append(f"{where}.weight: more than 0 and at most 1")
    for name in kind.moves:
        facet = catalogue.facets.get(name)
        if facet is None or not facet.ordered:
            found.append(f"{where}.moves: {name!r} is not an ordered facet")
    return found
