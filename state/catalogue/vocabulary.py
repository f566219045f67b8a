"""The table of numbers: which number stands for which name, for as long as a state folder lives.

Packed state is positional. So that a catalogue can change without anybody's beliefs taking another's place, a name
keeps its number for ever: new names get the next ones, and the numbers of names that left the catalogue lie idle until
they come back. The order of the catalogue's file does not matter. A value of a scale keeps its place on it alike: what
was learned of which way somebody leans must not turn around with the file.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from state.errors import StateError
from tacit.contract.catalogue import Catalogue

MAX_NAMES = {"facets": 255, "slots": 32_767, "topics": 32_768, "feedback": 128}
"""Numbers that fit where they are packed: pins count facets in a byte, and so on (state/user/codec, state/events/observation)."""


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
    """Slot → its place on its facet's scale, −1 to 1, should the facet be ordered."""
    topics: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    """Kinds of feedback."""

    def including(self, catalogue: Catalogue) -> "Vocabulary":
        """Return the table with the catalogue's new names behind the known ones, in the file's order.

        It is this very table if nothing is new.

        Raises:
            StateError: if there are more names than numbers.
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
        """Return the place of each value of a catalogue, (facet, value) → place, in the file's order."""
        known = dict(zip(self.slots, self.places, strict=True))
        return {
            (name, value): place
            for name, facet in catalogue.facets.items()
            for value, place in zip(facet.values, _scale([known.get((name, v)) for v in facet.values]), strict=True)
        }

    def check(self) -> None:
        """Look at a table that was read from disk.

        Raises:
            StateError: if it gives no name, or a name two numbers.
        """
        self._check_size()
        if problems := list(self._problems()):
            raise StateError(
                f"the table of numbers is damaged: {'; '.join(problems)}; restore the state folder from a backup"
            )

    def _check_size(self) -> None:
        for table, most in MAX_NAMES.items():
            names: Collection[object] = getattr(self, table)
            if len(names) > most:
                raise StateError(
                    f"the table of numbers has no room for {len(names)} {table}, at most {most} can be had over the "
                    "life of a state folder, those that left the catalogue included: go back to the catalogue of "
                    "before, or replay history into a new state folder"
                )

    def _problems(self) -> Iterator[str]:
        for table in MAX_NAMES:
            names: Collection[object] = getattr(self, table)
            if len(set(names)) < len(names):
                yield f"{table}: a name stands there twice"
        if len(self.places) != len(self.slots):
            yield "places: there is not one for each of slots"
        if not {facet for facet, _ in self.slots} <= set(self.facets):
            yield "slots: one is of a facet that is not in facets"


def _appended(names: tuple[Name, ...], others: Iterable[Name]) -> tuple[Name, ...]:
    known = frozenset(names)
    return names + tuple([name for name in others if name not in known])


def _scale(known: Sequence[float | None]) -> list[float]:
    """Return the place of each value of a scale, of which some are known.

    The first ones are evenly from −1 to 1. Later ones are evenly between their neighbours, or where their only one is.
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
