"""What Copilot gets to know of one person, and how it settles on a style for one conversation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple, TypedDict

from tacit.contract.catalogue import Catalogue
from tacit.contract.signals import Profile, Signal

Status = Literal["fresh", "aged", "absent", "opted_out", "unavailable", "unknown_schema"]
"""What an adaptation rests on.

- `fresh`: the person's own signals.
- `aged`: the same, but nothing was heard of the person for half the usual time to live (15 days).
- `absent`: nothing is known of the person: new, forgotten or expired. From here on all rests on defaults.
- `opted_out`: the person does not want to be adapted to.
- `unavailable`: Redis did not answer in time.
- `unknown_schema`: there is something, but none of it can be read: another version wrote it.
"""

MAX_PROMPT = 600
"""Characters of `Choice.prompt`."""

_DRAW_BYTES = 6
_DRAWS = 2 ** (8 * _DRAW_BYTES)


class Followed(TypedDict):
    """One entry of an event's `acted_on`, as the contract writes it."""

    facet: str
    value: str
    version: str | None
    """Of the person's signal; None where a default was followed."""
    propensity: float
    """How likely this value was to be chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The style of one conversation, a value per facet; a facet of which nothing is to be said is not in it.

    >>> choice = Choice({"length": "concise"}, (), Catalogue.load())
    >>> choice.prompt()
    'Keep answers short.'
    """

    values: Mapping[str, str]
    acted_on: tuple[Followed, ...]
    """To be sent back with what the person does: it tells learning which choices were made, and how likely."""
    _catalogue: Catalogue = field(repr=False)

    def prompt(self) -> str:
        """Return what to tell an assistant: sentences of the catalogue in its order, at most `MAX_PROMPT` characters.

        A sentence that no longer fits is left out whole.
        """
        text = ""
        for name, facet in self._catalogue.facets.items():
            sentence = facet.prompt.get(self.values.get(name, ""), "")
            longer = f"{text} {sentence}".strip()
            if len(longer) <= MAX_PROMPT:
                text = longer
        return text


class _Greedy(NamedTuple):
    """What to do about a facet, before exploration."""

    value: str | None
    version: str | None
    explore: float


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What is known of one person: as much of it as is there, readable, and in the catalogue's vocabulary.

    >>> nobody = Adaptation("absent", {}, None, {}, Catalogue.load())
    >>> nobody.choose(unit="conversation-1").values["tone"]
    'neutral'
    """

    status: Status
    signals: Mapping[str, Signal]
    """Facet → the person's own signal."""
    profile: Profile | None
    """How the person used the assistant lately; windows that have passed by now are zero."""
    defaults: Mapping[str, Signal]
    """Facet → the population's signal, for facets of which the person has none."""
    _catalogue: Catalogue = field(repr=False)

    def choose(self, unit: str) -> Choice:
        """Settle all facets for one conversation; the same `unit` always gives the same choice.

        Where a signal allows it, a share of conversations tries another value: which ones, a hash of the unit and
        the facet draws. A person's own setting is never experimented with.
        """
        values: dict[str, str] = {}
        acted_on: list[Followed] = []
        for name, value, version, propensity in self._chosen(unit):
            values[name] = value
            acted_on.append(Followed(facet=name, value=value, version=version, propensity=propensity))
        return Choice(values, tuple(acted_on), self._catalogue)

    def _chosen(self, unit: str) -> Iterator[tuple[str, str, str | None, float]]:
        for name, facet in self._catalogue.facets.items():
            greedy = self._greedy(name)
            if greedy.value is None:
                continue
            explore = 0.0 if facet.multiple else greedy.explore
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
    """Return a number below `_DRAWS` that is the same for the same unit and facet, in every process."""
    drawn = blake2b(f"{unit}\0{facet}".encode("utf-8", "surrogatepass"), digest_size=_DRAW_BYTES).digest()
    return int.from_bytes(drawn, "big")
