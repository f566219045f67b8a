"""UserState ↔ versioned bytes. Nothing is pickled: every part has its place, and the first byte says which layout.

    byte 0      layout version
    bytes 1–8   newest event time, where a scan can read it without unpacking
    then        the rest of the header, event ids, turns, pins, windows, preferences, what was sent

Numbers are little-endian. Lengths follow from the header and the catalogue, so bytes of any other length are refused.
"""

from array import array
from struct import Struct
from typing import Any

from state.catalogue import Catalogue
from state.errors import StateError
from state.preferences import Preferences
from state.sent import Sent
from state.user import PinnedAt, UserState
from state.windows import Windows

VERSION = 1

_HEADER = Struct("<BqIqqBqIBBBBHBB")
_PIN = Struct("<Bhq")
_SESSION = Struct("<qqII")
_SENT = Struct("<q")
_HAS_WINDOWS = 1
_HAS_PREFERENCES = 2


def pack(state: UserState) -> bytes:
    """Return a person's state as bytes. What waits to be written is not part of it: take it first."""
    events, turns, news = state.events, state.turns, state.news
    windows, preferences, sent = state.windows, state.preferences, news.sent
    parts = [
        _HEADER.pack(
            VERSION, state.newest_ms, state.seq, state.epoch_ms, state.forgotten_ms, state.consent,
            state.consent_at_ms, news.profile_pane, len(events.hashes), events.next,
            len(turns.hashes), turns.next, turns.disliked, len(state.pins),
            (_HAS_WINDOWS if windows else 0) | (_HAS_PREFERENCES if preferences else 0),
        ),
        events.hashes.tobytes(),
        turns.hashes.tobytes(),
        turns.learned.tobytes(),
    ]  # fmt: skip
    parts += [_PIN.pack(facet, pin.slot, pin.at_ms) for facet, pin in state.pins.items()]
    if windows is not None:
        parts += [values.tobytes() for values in _window_arrays(windows)]
        parts.append(
            _SESSION.pack(
                windows.session_started_ms,
                windows.session_last_ms,
                windows.session_turns,
                windows.session_negatives,
            )
        )
    if preferences is not None and sent is not None:
        parts += [values.tobytes() for values in _preference_arrays(preferences, sent)]
        parts.append(_SENT.pack(sent.oldest_ms))
    return b"".join(parts)


def unpack(data: bytes, catalogue: Catalogue) -> UserState:
    """Return what `pack` packed under the same catalogue layout.

    Raises:
        StateError: if the bytes are of another version or damaged.
    """
    if not data or data[0] != VERSION:
        raise StateError(f"a person's state has layout {data[0] if data else 'none'}; this version reads {VERSION}")
    try:
        return _unpack(data, catalogue)
    except ValueError as error:
        raise StateError(f"a person's state is damaged: {error}") from error


def _unpack(data: bytes, catalogue: Catalogue) -> UserState:
    state = UserState()
    events, turns, news = state.events, state.turns, state.news
    reader = _Reader(data)
    (_, state.newest_ms, state.seq, state.epoch_ms, state.forgotten_ms, state.consent,
     state.consent_at_ms, news.profile_pane, event_count, events.next,
     turn_count, turns.next, turns.disliked, pins, parts) = reader.struct(_HEADER)  # fmt: skip
    events.hashes = reader.take_array("I", event_count)
    turns.hashes = reader.take_array("I", turn_count)
    turns.learned = reader.take_array("f", turn_count)
    for _ in range(pins):
        facet, slot, at_ms = reader.struct(_PIN)
        state.pins[facet] = PinnedAt(slot, at_ms)
    if parts & _HAS_WINDOWS:
        windows = state.windows = Windows()
        for values in _window_arrays(windows):
            reader.fill(values)
        (windows.session_started_ms, windows.session_last_ms, windows.session_turns,
         windows.session_negatives) = reader.struct(_SESSION)  # fmt: skip
    if parts & _HAS_PREFERENCES:
        preferences = state.preferences = Preferences(catalogue)
        sent = news.sent = Sent(len(catalogue.facets))
        for values in _preference_arrays(preferences, sent):
            reader.fill(values)
        (sent.oldest_ms,) = reader.struct(_SENT)
    if reader.position != len(data):
        raise ValueError(f"{len(data)} bytes where {reader.position} were expected")
    return state


def _window_arrays(windows: Windows) -> "tuple[array[Any], ...]":
    return windows.panes, windows.hours, windows.topic_ids, windows.topic_weights


def _preference_arrays(preferences: Preferences, sent: Sent) -> "tuple[array[Any], ...]":
    return (
        preferences.means,
        preferences.variances,
        preferences.evidence,
        preferences.drift_sums,
        preferences.drift_at_ms,
        preferences.fresh,
        preferences.reasons,
        sent.slot,
        sent.tier,
        sent.confidence,
        sent.at_ms,
    )


class _Reader:
    """Takes one part after the other, and notices when there is too little."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def _take(self, size: int) -> bytes:
        chunk = self.data[self.position : self.position + size]
        if len(chunk) < size:
            raise ValueError(f"{size} bytes expected at {self.position}, {len(chunk)} are left")
        self.position += size
        return chunk

    def struct(self, layout: Struct) -> tuple[Any, ...]:
        return layout.unpack(self._take(layout.size))

    def take_array(self, typecode: str, length: int) -> "array[Any]":
        values: array[Any] = array(typecode)
        values.frombytes(self._take(length * values.itemsize))
        return values

    def fill(self, values: "array[Any]") -> None:
        values[:] = self.take_array(values.typecode, len(values))
