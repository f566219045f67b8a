"""Plain interactions → observations: the fast path of parsing, at a quarter of the cost of the slow path.

A plain interaction is valid, belongs to the region, is not from the future, and has only names of the catalogue. Every
other record takes the slow path, which decides alone: rejects and control events are rare. Both paths lead to the same
observation (`tests/operators/test_plain_interactions.py`).

Objects such as `served` repeat from event to event, so they are looked up by their bytes. Bytes are compared whole, and
a cache belongs to one catalogue.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from zlib import crc32

import msgspec

from operators.decoders.json_line import ABSENT, Acted, Line, NotALineError
from operators.users import Users
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS, Record
from state.events.resolve import feedback_facets, served_slots
from tacit.contract.events import Feedback, Locale, Served

CACHED_OBJECTS = 4_096
"""Entries of a cache, the least recently used leaves first."""
MAX_CACHED_BYTES = 512
"""Longer objects take the slow path, so that a cache has at most 2 MB of them."""

_INTERACTION = int(Kind.INTERACTION)
_NO_FEEDBACK: tuple[int, tuple[int, ...]] = (NONE, ())
_MAX_ID = 64
_MAX_ENTRIES = 64
_ID_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.:-"

_decode_served = msgspec.json.Decoder(Served | None).decode
_decode_feedback = msgspec.json.Decoder(Feedback | None).decode

NOT_PLAIN = (ValueError, LookupError, RecursionError, msgspec.MsgspecError)
"""Errors of records that take the slow path; names outside the catalogue and invalid UTF-8 included."""


class PlainInteractions:
    """Reads plain interactions. Called with a record, it returns None for any other record."""

    def __init__(
        self, read_line: Callable[[bytes], Line], catalogue: NumberedCatalogue, region: str, users: Users
    ) -> None:
        self._read_line = read_line
        self._region = region
        self._find = users.find
        self._catalogue = catalogue
        self._topics = _or_none(catalogue.topic_index)
        self._surfaces = _or_none(catalogue.surface_index)
        self._slots = catalogue.slot_index
        self._served = lru_cache(CACHED_OBJECTS)(self._resolve_served)
        self._feedback = lru_cache(CACHED_OBJECTS)(self._resolve_feedback)
        self._check_locale = lru_cache(CACHED_OBJECTS)(_check_locale)

    def __call__(self, record: Record) -> Observation | None:
        """Return the observation of a plain interaction."""
        try:
            line = self._read_line(record.value)
            if line.region != self._region:
                return None
            if record.timestamp_ms and line.at > record.timestamp_ms + CLOCK_TOLERANCE_MS:
                return None
            if line.locale is not None:
                self._check_locale(line.locale)
            return self._resolve(line)
        except NOT_PLAIN:
            return None

    def _resolve(self, line: Line) -> Observation:
        """Return a line with numbers for names. The order of the members is that of an observation."""
        feedback, facets = _NO_FEEDBACK if line.feedback is ABSENT else self._feedback(bytes(line.feedback))
        turn, item, acted, proposed = line.turn_id, line.item, line.acted_on, line.proposed
        return Observation(
            self._find(line.user_id).pseudonym,
            line.at,
            _INTERACTION,
            _id_hash(line.event_id),
            0 if turn is None else _id_hash(turn),
            self._topics[line.topic],
            self._surfaces[line.surface],
            0 if item is None else _id_hash(item),
            feedback,
            () if line.served is ABSENT else self._served(bytes(line.served)),
            facets,
            () if acted is None else self._acted_slots(acted),
            0,
            False,
            () if proposed is None else tuple([slot for slot, _, _ in self._acted_slots(proposed)]),
        )

    def _resolve_served(self, raw: bytes) -> tuple[int, ...]:
        return served_slots(_decode_served(_short(raw)), self._catalogue)

    def _resolve_feedback(self, raw: bytes) -> tuple[int, tuple[int, ...]]:
        """Return the kind and the facets."""
        feedback = _decode_feedback(_short(raw))
        kind = NONE if feedback is None else self._catalogue.feedback_index[feedback.kind]
        return kind, feedback_facets(feedback, self._catalogue)

    def _acted_slots(self, entries: Sequence[Acted]) -> tuple[tuple[int, float, int], ...]:
        """Return slot, propensity and slot of the runner-up. Versions differ from event to event: no cache."""
        if len(entries) > _MAX_ENTRIES:
            raise NotALineError
        found = []
        for entry in entries:
            slots, runner_up, version = self._slots[entry.facet], entry.runner_up, entry.version
            if version is not None and not _is_version(version):
                raise NotALineError
            other = NONE if runner_up is None else slots[runner_up]
            found.append((slots[entry.value], entry.propensity, other))
        return tuple(found)


def _or_none(index: Mapping[str, int]) -> dict[str | None, int]:
    names: list[str | None] = [None, *index]
    return dict(zip(names, [NONE, *index.values()], strict=True))


def _id_hash(name: str) -> int:
    """Return the hash of an id, as `state.events.resolve.name_hash` does, and check the id."""
    data = name.encode()
    if not 0 < len(data) <= _MAX_ID or data.translate(None, _ID_BYTES):
        raise NotALineError
    return crc32(data) or 1


def _is_version(version: str) -> bool:
    time, _, number = version.partition("-")
    return len(time) == 13 and len(number) == 10 and version.isascii() and time.isdecimal() and number.isdecimal()


def _check_locale(locale: str) -> None:
    msgspec.convert(locale, Locale)


def _short(raw: bytes) -> bytes:
    if len(raw) > MAX_CACHED_BYTES:
        raise NotALineError
    return raw
