"""Adaptation of one user, and the choice of a style for one conversation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple, TypedDict

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import UNKNOWN, Consents
from tacit.contract.signals import Profile, Signal

Status = Literal["fresh", "aged", "absent", "opted_out", "unavailable", "unknown_schema"]
"""Basis of an adaptation. Every status but `fresh` and `aged` means defaults only.

- `fresh`: the user's own signals, or pins alone.
- `aged`: the user's own signals, without an event for half the default time to live (15 days).
- `absent`: no signals and no pin, because the user is new, was forgotten, or the signals expired.
- `opted_out`: the user denies the use of signals, or the user's gate cannot be read; pins are left out, too.
- `unavailable`: Redis did not answer in time.
- `unknown_schema`: signals of another, unreadable version.
"""

MAX_PROMPT = 600
"""Limit of `Choice.prompt`, in characters."""

_DRAW_BYTES = 6
_DRAWS = 2 ** (8 * _DRAW_BYTES)


class Followed(TypedDict):
    """Entry of an event's `acted_on`, in the form of the contract."""

    facet: str
    value: str
    version: str | None
    """Version of the user's signal; None for a default."""
    propensity: float
    """Probability of this value in this choice."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Style of one conversation: a value per facet, except facets without a value.

    >>> choice = Choice({"length": "concise"}, (), Catalogue.load())
    >>> choice.prompt()
    'Keep answers short.'
    """

    values: Mapping[str, str]
    acted_on: tuple[Followed, ...]
    """Entries to send back with the user's feedback; off-policy estimates need the propensities."""
    _catalogue: Catalogue = field(repr=False)

    def prompt(self) -> str:
        """Return instructions for an assistant: the catalogue's sentences in order, at most `MAX_PROMPT` characters.

        A sentence that exceeds the limit is left out.
        """
        text = ""
        for name, facet in self._catalogue.facets.items():
            sentence = facet.prompt.get(self.values.get(name, ""), "")
            longer = f"{text} {sentence}".strip()
            if len(longer) <= MAX_PROMPT:
                text = longer
        return text


class _Greedy(NamedTuple):
    """Preferred value of a facet, before exploration."""

    value: str | None
    version: str | None
    explore: float


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Signals of one user that are readable and in the catalogue, with the population's signals as defaults.

    Every text in signals, profile and defaults is a name of the catalogue, a version, or a constant of the contract.

    >>> adaptation = Adaptation("absent", {}, None, {}, Catalogue.load())
    >>> adaptation.choose(unit="conversation-1").values["tone"]
    'neutral'
    """

    status: Status
    signals: Mapping[str, Signal]
    """Facet → the user's own signal; a pin in place of a learned signal."""
    profile: Profile | None
    """Recent use of the assistant; counts of windows that have passed are zero."""
    defaults: Mapping[str, Signal]
    """Facet → the population's signal, for facets without a signal of the user."""
    _catalogue: Catalogue = field(repr=False)
    consent: Consents = UNKNOWN

    def choose(self, unit: str) -> Choice:
        """Choose a value per facet for one conversation; the same `unit` always gives the same choice.

        Where a signal allows exploration, a share of the conversations gets another value.
        A hash of unit and facet selects these conversations. A user's pin is never explored, and no facet of a user
        who denies exploration.
        """
        values: dict[str, str] = {}
        acted_on: list[Followed] = []
        for name, value, version, propensity in self._chosen(unit):
            values[name] = value
            acted_on.append(Followed(facet=name, value=value, version=version, propensity=propensity))
        return Choice(values, tuple(acted_on), self._catalogue)

    def _chosen(self, unit: str) -> Iterator[tuple[str, str, str | None, float]]:
        denies = self.consent.explore == "denied"
        for name, facet in self._catalogue.facets.items():
            greedy = self._greedy(name)
            if greedy.value is None:
                continue
            explore = 0.0 if facet.multiple or denies else greedy.explore
            others = [value for value in facet.values if value != greedy.value]
            drawn = _draw(unit, name)
            if drawn < explore * _DRAWS:
                yield name, others[drawn % len(others)], greedy.version, explore / len(others)
            else:
                yield name, greedy.value, greedy.version, 1.0 - explore

    def _greedy(self, facet: str) -> _Greedy:
        if signal := self.signals.get(facet):
            if signal.source == "user":
                return _Greedy(signal.value, signal.v, 0.0)
            return _Greedy(_suggested(signal), signal.v, signal.explore)
        if signal := self.defaults.get(facet):
            return _Greedy(_suggested(signal), None, 0.0)
        return _Greedy(self._catalogue.facets[facet].default, None, 0.0)


def _suggested(signal: Signal) -> str | None:
    return signal.default if signal.tier == "default" else signal.value


def _draw(unit: str, facet: str) -> int:
    """Return a number below `_DRAWS`, the same in every process for the same unit and facet."""
    drawn = blake2b(f"{unit}\0{facet}".encode("utf-8", "surrogatepass"), digest_size=_DRAW_BYTES).digest()
    return int.from_bytes(drawn, "big")
