"""Account of a whole replay: what became of every record, over restarts and over all processes."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from state.events.records import KafkaOrigin, Reason, Reject

MAX_PLACES = 5
"""Places of rejects that are kept per reason."""


class Place(NamedTuple):
    """Place of a record."""

    origin: str
    """`FILE:`, or `TOPIC/PARTITION/`."""
    position: int

    def __str__(self) -> str:
        return f"{self.origin}{self.position}"


class Counted(NamedTuple):
    """Counts of one batch."""

    records: int = 0
    """Records that the source passed on."""
    ranges: tuple[tuple[str, int, int], ...] = ()
    """Origin, first position, and position behind the last one."""
    outcomes: tuple[tuple[str, int], ...] = ()
    """Outcome (`state.counters.Outcome`) → events."""
    rejected: tuple[tuple[Reason, int], ...] = ()
    control_rejected: tuple[tuple[Reason, int], ...] = ()
    """Control events that cannot be carried out."""
    places: tuple[tuple[Reason, "Place"], ...] = ()
    """Places of the first rejects of each reason."""
    oldest_ms: int | None = None
    newest_ms: int | None = None
    """Event times of all events up to this batch."""
    in_range: int = 0
    """Interactions within a range of event times."""
    interactions_ms: tuple[int, int] | None = None
    """Oldest and newest event time of the interactions that were compared with the range, up to this batch."""


class Account(msgspec.Struct):
    """Sums of a replay; as JSON, its state in the dataflow."""

    records: int = 0
    ranges: dict[str, tuple[int, int]] = {}
    """Origin → first position, and position behind the last one."""
    outcomes: dict[str, int] = {}
    rejected: dict[Reason, int] = {}
    control_rejected: dict[Reason, int] = {}
    places: dict[Reason, list[Place]] = {}
    """The first places in the order of origins and positions: the same for any batches and processes."""
    oldest_ms: int | None = None
    newest_ms: int | None = None
    in_range: int = 0
    """Interactions within the range of event times of a replay of files that has one."""
    interactions_ms: tuple[int, int] | None = None
    """Oldest and newest event time of the interactions of such a replay."""

    @property
    def explained(self) -> int:
        """Records with an outcome or a reject."""
        return sum(sum(counts.values()) for counts in (self.outcomes, self.rejected, self.control_rejected))

    def add(self, counted: Counted) -> None:
        """Take in the counts of a batch."""
        self.records += counted.records
        for origin, first, behind in counted.ranges:
            held = self.ranges.get(origin, (first, behind))
            self.ranges[origin] = (min(held[0], first), max(held[1], behind))
        for outcome, count in counted.outcomes:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + count
        for sums, counts in (
            (self.rejected, counted.rejected),
            (self.control_rejected, counted.control_rejected),
        ):
            for reason, count in counts:
                sums[reason] = sums.get(reason, 0) + count
        for reason, place in counted.places:
            self.places[reason] = sorted({*self.places.get(reason, ()), place})[:MAX_PLACES]
        if counted.oldest_ms is not None and counted.newest_ms is not None:
            self.oldest_ms = min(counted.oldest_ms, self.oldest_ms or counted.oldest_ms)
            self.newest_ms = max(counted.newest_ms, self.newest_ms or 0)
        self.in_range += counted.in_range
        if counted.interactions_ms is not None:
            times = (*(self.interactions_ms or ()), *counted.interactions_ms)
            self.interactions_ms = min(times), max(times)


def place_of(reject: Reject) -> Place:
    """Return the place of a rejected record, as text `FILE:LINE` or `TOPIC/PARTITION/OFFSET`.

    >>> from state.events.records import FileOrigin
    >>> print(place_of(Reject(Reason.LATE, "", FileOrigin("a.jsonl"), 7, "", 0)))
    a.jsonl:7
    >>> print(place_of(Reject(Reason.LATE, "", KafkaOrigin("events", 3), 7, "", 0)))
    events/3/7
    """
    separator = "/" if isinstance(reject.origin, KafkaOrigin) else ":"
    return Place(f"{origin_name(reject.origin)}{separator}", reject.position)


def origin_name(origin: tuple[str | int, ...]) -> str:
    """Return an origin as text; invalid UTF-8 in a file name is escaped.

    >>> origin_name(KafkaOrigin("events", 3))
    'events/3'
    """
    return "/".join(text.encode(errors="backslashreplace").decode() for text in map(str, origin))


def some_places(items: Iterable[object]) -> tuple[tuple[Reason, Place], ...]:
    """Return the places of the first rejects among the items, `MAX_PLACES` per reason."""
    found: dict[Reason, list[Place]] = {}
    for item in items:
        if isinstance(item, Reject) and len(places := found.setdefault(item.reason, [])) < MAX_PLACES:
            places.append(place_of(item))
    return tuple((reason, place) for reason, places in found.items() for place in places)
