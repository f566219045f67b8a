"""The vocabulary: an append-only table of numbers for names, stored in the state folder (vocabulary.json).

Packed state is positional: numbers are indexes. A name keeps its number when the catalogue changes: a new name gets the
next number, and the number of a removed name is idle until the name returns. The order of the catalogue's file has no
effect. A value of an ordered facet also keeps its position on the scale, because learned slopes refer to it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from state.errors import StateError
from tacit.contract.catalogue import Catalogue

MAX_NAMES = {"facets": 255, "slots": 32_767, "topics": 32_768, "feedback": 128}
"""Most numbers of each kind, as packed state limits them (state.user.codec): pins count facets in a byte, and so on."""


Name = TypeVar("Name")


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    r"""Names by number; append-only.

    >>> from tacit.contract.catalogue import Catalogue
    >>> before = 'schema = 1\n[facets.tone]\ntitle = "Tone"\nvalues = ["formal", "friendly"]'
    >>> after = before.replace('"formal", "friendly"', '"neutral", "friendly"')
    >>> Vocabulary().including(Catalogue.parse(before)).including(Catalogue.parse(after)).slots
    (('tone', 'formal'), ('tone', 'friendly'), ('tone', 'neutral'))
    """

    facets: tuple[str, ...] = ()
    slots: tuple[tuple[str, str], ...] = ()
    """(facet, value)."""
    places: tuple[float, ...] = ()
    """Slot → position on the scale, −1 to 1, used if the facet is ordered."""
    topics: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    """Kinds of feedback."""

    def including(self, catalogue: Catalogue) -> "Vocabulary":
        """Return the vocabulary with the catalogue's new names appended in the file's order.

        Without new names return `self`, so that callers can test for a change by identity.

        Raises:
            StateError: the names exceed `MAX_NAMES`.
        """
        places = self._places(catalogue)
        slots = _appended(self.slots, places)
        longer = Vocabulary(
            _appended(self.facets, catalogue.facets),
            slots,
            self.places + tuple([places[slot] for slot in slots[len(self.slots) :]]),
            _appended(self.topics, catalogue.topics.values),
            _appended(self.feedback, catalogue.feedback),
        )
        if longer == self:
            return self
        longer._check_size()
        return longer

    def _places(self, catalogue: Catalogue) -> dict[tuple[str, str], float]:
        """Return (facet, value) → position on the scale, in the file's order."""
        known = dict(zip(self.slots, self.places, strict=True))
        return {
            (name, value): place
            for name, facet in catalogue.facets.items()
            for value, place in zip(facet.values, _scale([known.get((name, v)) for v in facet.values]), strict=True)
        }

    def check(self) -> None:
        """Check a vocabulary that was read from disk.

        Raises:
            StateError: a name has two numbers, a table is too long, or tables do not fit together.
        """
        self._check_size()
        if problems := list(self._problems()):
            raise StateError(
                f"the vocabulary is damaged: {'; '.join(problems)}; restore the state folder from a backup"
            )

    def _check_size(self) -> None:
        for table, most in MAX_NAMES.items():
            names: Collection[object] = getattr(self, table)
            if len(names) > most:
                raise StateError(
                    f"the vocabulary has no room for {len(names)} {table}: a state folder holds at most {most}, "
                    "names that left the catalogue included; restore the previous catalogue, or replay history into "
                    "a new state folder"
                )

    def _problems(self) -> Iterator[str]:
        for table in MAX_NAMES:
            names: Collection[object] = getattr(self, table)
            if len(set(names)) < len(names):
                yield f"{table}: a name appears twice"
        if len(self.places) != len(self.slots):
            yield "places: not one for each slot"
        if not {facet for facet, _ in self.slots} <= set(self.facets):
            yield "slots: a facet is not in facets"


def _appended(names: tuple[Name, ...], others: Iterable[Name]) -> tuple[Name, ...]:
    known = frozenset(names)
    return names + tuple([name for name in others if name not in known])


def _scale(known: Sequence[float | None]) -> list[float]:
    """Return the position of each value on a scale; some are known.

    Without known positions, space all values evenly from −1 to 1. Otherwise space new values evenly between their
    known neighbours; a new value at an end gets the position of its only known neighbour.
    """
    anchors = [(index, place) for index, place in enumerate(known) if place is not None]
    if not anchors:
        return [2 * index / max(1, len(known) - 1) - 1 for index in range(len(known))]
    places = []
    for index in range(len(known)):
        before, start = max([anchor for anchor in anchors if anchor[0] <= index], default=anchors[0])
        after, end = min([anchor for anchor in anchors if anchor[0] >= index], default=anchors[-1])
        share = (index - before) / (after - before) if after > before else 0.0
        places.append(start + share * (end - start))
    return places
