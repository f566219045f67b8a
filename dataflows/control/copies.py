"""Traces that remain after a forget, and copies that no search reaches: until when, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.kafka.address import TopicAddress
from connectors.redis.history import redis_history
from dataflows.control.receipts import KEPT, Kind, Remaining
from dataflows.control.search import Place
from dataflows.settings import Settings
from state.errors import SinkError
from tacit.errors import TacitError

_KEEPS_OUT = "older events and writes of the user are rejected by it"


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a forget, from which the end of each trace follows."""

    since_ms: int
    """Time of the receipt."""
    erase_within_ms: int
    tombstones_ms: int
    is_denied: bool
    """The user's last choice is a "no"."""
    is_partial: bool
    """The forget names facets."""
    cuts_ms: int = 0
    """Time for which cuts in object storage are kept."""


def remaining_in(place: Place, found: Mapping[Kind, int], terms: Terms) -> Iterator[Remaining]:
    """Yield the remains in a place, by the kind of the traces that were found."""
    for kind, number in sorted(found.items()):
        what = f"{kind}: {number}"
        if kind == "unreadable":
            yield Remaining(what=what, until="unknown", why="a file cannot be read; make it readable and check again")
        elif place.sort == "look":
            yield _looked_at(place, what, terms.since_ms)
        elif terms.is_partial:
            yield Remaining(what=what, until="never", why="the forget names facets, and the others stay")
        elif kind in KEPT[place.sort]:
            yield _tombstone(what, terms)
        elif place.sort == "state":
            yield _in_state(what, terms)
        elif place.sort == "cuts":
            yield _in_cuts(what, terms)
        else:
            yield Remaining(what=what, until="time", until_ms=terms.since_ms, why="nothing explains it; see the logs")


def _tombstone(what: str, terms: Terms) -> Remaining:
    if terms.is_denied:
        return Remaining(what=what, until="never", why='the user\'s "no", which holds until the user changes it')
    until_ms = terms.since_ms + terms.tombstones_ms
    return Remaining(what=what, until="time", until_ms=until_ms, why=f"the time of the forget; {_KEEPS_OUT}")


def _in_state(what: str, terms: Terms) -> Remaining:
    why = "tables and older checkpoints; a run erases them within erase_within, a stopped run after its next start"
    return Remaining(what=what, until="time", until_ms=terms.since_ms + terms.erase_within_ms, why=why)


def _in_cuts(what: str, terms: Terms) -> Remaining:
    why = "cuts and savepoints; a run rewrites savepoints after the erasure, and deletes cuts by --keep-cuts"
    until_ms = terms.since_ms + terms.erase_within_ms + terms.cuts_ms
    return Remaining(what=what, until="time", until_ms=until_ms, why=why)


def _looked_at(place: Place, what: str, since_ms: int) -> Remaining:
    if place.topic is not None:
        return _in_topic(place.topic, what, since_ms)
    return Remaining(what=what, until="operator", why="a file of the operator, which Tacit does not rewrite")


def copies_of(settings: Settings, since_ms: int) -> Iterator[Remaining]:
    """Yield the copies that no search reaches: events in Kafka, persistence of Redis, backups."""
    source = settings.source or ""
    if source.startswith("kafka:"):
        yield _in_topic(settings.topic(source), "events of the user in the source", since_ms)
    elif source:
        yield Remaining(
            what=f"events of the user in {source}", until="operator", why="a file of the operator; Tacit reads it only"
        )
    yield from _in_redis(settings.redis)
    yield Remaining(
        what="backups and disk snapshots",
        until="unknown",
        why="Tacit does not see them; ask the operator",
    )


def _in_topic(topic: TopicAddress, what: str, since_ms: int) -> Remaining:
    from connectors.kafka.retention import topic_retention

    try:
        found = topic_retention(topic)
    except TacitError:
        return Remaining(what=what, until="unknown", why=f"the retention of {topic} cannot be read")
    if found.age_ms is None or found.is_unlimited:
        return Remaining(what=what, until="never", why=f"the retention of {topic} is unlimited; set retention.ms")
    latest_ms = since_ms + found.age_ms + found.segment_ms
    return Remaining(what=what, until="time", until_ms=latest_ms, why=f"retention.ms and segment.ms of {topic}")


def _in_redis(url: str) -> Iterator[Remaining]:
    what = "deleted keys in files of Redis"
    try:
        for history in redis_history(url):
            yield Remaining(what=what, until="operator" if history.is_unlimited else "unknown", why=history.detail)
    except SinkError:
        yield Remaining(what=what, until="unknown", why="the persistence of Redis is not readable by this user")
