"""The catalogue file (TOML): facets, topics, surfaces, feedback kinds and labels, and the checks of a file."""

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Literal, Self, get_args

import msgspec
from msgspec.structs import asdict

from tacit.contract.document_errors import explained
from tacit.contract.labels import Labels, label_problems
from tacit.contract.pseudonyms import IdComparison
from tacit.errors import CatalogueError

SHIPPED = Path(__file__).with_name("catalogue.toml")
"""The catalogue that the package ships."""

MAX_FACETS = 64
MAX_VALUES = 32
MAX_TOPICS = 4096
MAX_SURFACES = 256
MAX_FEEDBACK_KINDS = 64
MAX_TEXT = 200
MAX_HOLDOUT = 0.5
CONTRIBUTORS = range(5, 1001)

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


Direction = Literal["up", "down"]

Exploration = Literal["never", "hints", "free"]
"""Permission to try other values of a facet: `never`, only below the tier `apply` (`hints`), or always (`free`)."""

Mode = Literal["live", "apprentice"]
"""Use of signals: `live`, or `apprentice`, where readers serve defaults and propose the learned values."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the TOML file. An unknown key is an error."""


class Facet(_Table, frozen=True):
    """An adjustable property of answers with a single value, or several values if `multiple`."""

    title: str
    values: tuple[str, ...]
    ordered: bool = False
    multiple: bool = False
    default: str | None = None
    explore: Exploration = "free"
    careful: bool = False
    """The tier decides between value and default, and nothing is tried."""
    prompt: dict[str, str] = {}
    """Value → instruction for the assistant."""
    hint: dict[str, str] = {}
    """Value → softer wording of the instruction, for a value that is not sure."""
    question: str | None = None
    """Question to the user that settles the facet; None: the assistant does not ask."""


class Topics(_Table, frozen=True):
    """Subjects of conversations. A `sensitive` topic is neither trained on nor counted."""

    values: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


class Surfaces(_Table, frozen=True):
    """Places of an answer: chat, editor and so on."""

    values: tuple[str, ...] = ()


class FeedbackKind(_Table, frozen=True):
    """A kind of feedback: a like or a dislike (`label`), or directed feedback that `moves` an ordered facet."""

    weight: float = 1.0
    label: bool | None = None
    moves: dict[str, Direction] = {}


class Consent(_Table, frozen=True):
    """Consent of a user without a consent event: `granted`, or `required` first."""

    default: Literal["required", "granted"] = "required"


class Holdout(_Table, frozen=True):
    """Users with the catalogue's defaults, for a comparison with all other users."""

    share: float = 0.0
    """Share of users, 0–0.5."""


class Items(_Table, frozen=True):
    """Learning about items."""

    contributors: int = 20
    """Users with feedback on an item, 5–1,000, before the population model uses the item."""


class Catalogue(_Table, frozen=True):
    """The names of a deployment, in the file's order."""

    schema: Literal[1]
    facets: dict[str, Facet]
    version: int = 1
    identity: IdComparison = "exact"
    """Comparison of user ids; fixed for a deployment, as another one makes other pseudonyms."""
    mode: Mode = "live"
    explore: bool = True
    """Permission to try other values in this deployment."""
    consent: Consent = Consent()
    holdout: Holdout = Holdout()
    items: Items = Items()
    topics: Topics = Topics()
    surfaces: Surfaces = Surfaces()
    feedback: dict[str, FeedbackKind] = {}
    labels: dict[str, Labels] = {}
    """Language (`de`, `de-AT`) → plain words for users."""

    @property
    def meaning(self) -> bytes:
        """JSON of all that decides about results: everything but the labels."""
        members = msgspec.to_builtins(self)
        return msgspec.json.encode({name: member for name, member in members.items() if name != "labels"})

    @classmethod
    def load(cls, path: Path = SHIPPED) -> Self:
        """Read a catalogue file.

        Raises:
            CatalogueError: the file and each problem.

        >>> Catalogue.load().facets["length"].values
        ('concise', 'balanced', 'detailed')
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogueError([f"catalogue {path}: cannot be read: {error}"]) from error
        except CatalogueError as error:
            raise CatalogueError([f"catalogue {path}: {problem}" for problem in error.problems]) from error

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a catalogue from TOML text. Errors as in `load`."""
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CatalogueError([str(error)]) from error
        try:
            catalogue = msgspec.convert(document, Catalogue)
        except msgspec.ValidationError as error:
            tables = {"facets": Facet, "feedback": FeedbackKind, "labels": Labels}
            raise CatalogueError([explained(document, str(error), tables, _CHOICES)]) from error
        if problems := _problems(catalogue):
            raise CatalogueError(problems)
        return cls(**asdict(catalogue))


_CHOICES = {
    "schema": (1,),
    "mode": get_args(Mode),
    "explore": get_args(Exploration),
    "identity": get_args(IdComparison),
    "default": ("required", "granted"),
}
"""Last part of a path → allowed values."""


def _problems(file: Catalogue) -> list[str]:
    found: list[str] = []
    for table, names, limit in (
        ("facets", file.facets, MAX_FACETS),
        ("topics.values", file.topics.values, MAX_TOPICS),
        ("surfaces.values", file.surfaces.values, MAX_SURFACES),
        ("feedback", file.feedback, MAX_FEEDBACK_KINDS),
    ):
        found += _name_problems(table, tuple(names), limit)
    if not file.facets:
        found.append("facets: at least one is needed")
    if not 1 <= file.version <= 9999:
        found.append("version: a number from 1 to 9999")
    if not 0 <= file.holdout.share <= MAX_HOLDOUT:
        found.append(f"holdout.share: a share from 0 to {MAX_HOLDOUT}")
    if file.items.contributors not in CONTRIBUTORS:
        found.append(f"items.contributors: a number from {CONTRIBUTORS.start} to {CONTRIBUTORS.stop - 1}")
    found += [
        f"topics.sensitive: {name!r} is not in topics.values"
        for name in file.topics.sensitive
        if name not in file.topics.values
    ]
    for name, facet in file.facets.items():
        found += _facet_problems(f"facets.{name}", facet)
    for name, kind in file.feedback.items():
        found += _feedback_problems(f"feedback.{name}", kind, file)
    found += label_problems(file.labels, _labelled_values(file), _labelled_names(file))
    return found


def _labelled_values(file: Catalogue) -> dict[str, Collection[str]]:
    return {name: facet.values for name, facet in file.facets.items()}


def _labelled_names(file: Catalogue) -> dict[str, Collection[str]]:
    return {
        "facets": file.facets,
        "topics": file.topics.values,
        "surfaces": file.surfaces.values,
        "feedback": file.feedback,
    }


def _name_problems(table: str, names: tuple[str, ...], limit: int) -> list[str]:
    found = [f"{table}: {name!r} is not a name ({_NAME.pattern})" for name in names if not _NAME.fullmatch(name)]
    if len(names) > limit:
        found.append(f"{table}: {len(names)} names; at most {limit} are allowed")
    if len(set(names)) < len(names):
        found.append(f"{table}: a name appears twice")
    return found


def _facet_problems(where: str, facet: Facet) -> list[str]:
    found = _name_problems(f"{where}.values", facet.values, MAX_VALUES)
    if len(facet.values) < 2:
        found.append(f"{where}.values: at least two are needed")
    if facet.ordered and facet.multiple:
        found.append(f"{where}: ordered and multiple exclude each other")
    if facet.default is not None and facet.default not in facet.values:
        found.append(f"{where}.default: {facet.default!r} is not one of its values")
    found += _wording_problems(f"{where}.prompt", facet.prompt, facet)
    found += _wording_problems(f"{where}.hint", facet.hint, facet)
    if facet.question is not None and (not 0 < len(facet.question) <= MAX_TEXT or not facet.question.isprintable()):
        found.append(f"{where}.question: one line of 1 to {MAX_TEXT} characters")
    if not 0 < len(facet.title) <= MAX_TEXT or not facet.title.isprintable():
        found.append(f"{where}.title: one line of 1 to {MAX_TEXT} characters")
    return found


def _wording_problems(where: str, wording: dict[str, str], facet: Facet) -> list[str]:
    found = []
    for value, text in wording.items():
        if value not in facet.values:
            found.append(f"{where}: {value!r} is not one of its values")
        if len(text) > MAX_TEXT or not text.isprintable():
            found.append(f"{where}.{value}: one line of at most {MAX_TEXT} characters")
    return found


def _feedback_problems(where: str, kind: FeedbackKind, file: Catalogue) -> list[str]:
    found = []
    if (kind.label is None) == (not kind.moves):
        found.append(f"{where}: needs either a label (true or false) or moves")
    if not 0 < kind.weight <= 1:
        found.append(f"{where}.weight: more than 0 and at most 1")
    for name in kind.moves:
        facet = file.facets.get(name)
        if facet is None or not facet.ordered:
            found.append(f"{where}.moves: {name!r} is not an ordered facet")
    return found
