"""Account of one user: every accepted event, and the state of the user after the event.

The account follows docs/contract.md alone and shares only the event types with the dataflow. Windows are counted from
all turns on each request. Records have a time of their own, which is newer than every event; a consent has all scopes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from tacit.contract.events import Consent, Event, Forget, Interaction, Pin

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LATENESS_MS = DAY_MS
WINDOWS = {"1h": (5 * MINUTE_MS, 12), "24h": (HOUR_MS, 24), "7d": (DAY_MS, 7)}
"""Width and number of the panes of each sliding window."""
IDS_KEPT, CONTROLS_KEPT, TURNS_KEPT = 64, 16, 16

ACCEPTED, DUPLICATE, UNCONSENTED, BEFORE_WIPE, LATE = "accepted", "duplicate", "unconsented", "before_wipe", "late"
UNASKED, GRANTED, DENIED = "unasked", "granted", "denied"


class Pinned(NamedTuple):
    """Latest pin of a facet; the value None is an unpin."""

    value: str | None
    at_ms: int


class Moment(NamedTuple):
    """One accepted event, and the state of its user after the event."""

    event_id: str
    at_ms: int
    clock_ms: int
    """Newest event time of the user."""
    seq: int
    """Number of accepted events since the wipe."""
    wiped_ms: int
    forgotten_ms: int
    consent: str
    consent_at_ms: int
    pins: Mapping[str, Pinned]
    is_control: bool
    is_turn: bool
    """True if the windows count the event as a turn."""
    emits_profile: bool

    @property
    def version(self) -> str:
        """Version of the signals that are emitted at this moment."""
        return f"{self.clock_ms:013d}-{self.seq:010d}"


@dataclass
class Account:
    """Events of one user in order, and their effects."""

    moments: list[Moment] = field(default_factory=list)
    """Moments before and after wipes."""
    places: dict[str, list[int]] = field(default_factory=dict)
    """Indexes into `moments` by version: a withdrawal can repeat a version."""
    gate: str | None = None
    """Gate in Redis for wipes, consent and pins; None: no gate."""
    _wiped_ms: int = 0
    _forgotten_ms: int = 0
    _consent: str = UNASKED
    _consent_at_ms: int = 0
    _pins: dict[str, Pinned] = field(default_factory=dict)
    _clock_ms: int = 0
    _seq: int = 0
    """Number of accepted events since the wipe."""
    _ids: list[str] = field(default_factory=list)
    """Ids of accepted interactions since the wipe."""
    _controls: list[bytes] = field(default_factory=list)
    """Contents of control events."""
    _turns: list[str] = field(default_factory=list)
    _profile_pane: int = -1

    def take(self, event: Event) -> str:
        """Enter an event and return its outcome."""
        if isinstance(event, Interaction):
            return self._take_interaction(event)
        if _content(event) in self._controls[-CONTROLS_KEPT:]:
            return DUPLICATE
        self._controls.append(_content(event))
        if isinstance(event, Consent):
            return self._take_grant(event) if event.granted else self._take_denial(event)
        return self._take_forget(event) if isinstance(event, Forget) else self._take_pin(event)

    def windows(self, place: int) -> dict[str, int]:
        """Return the number of turns in each window at a moment."""
        now = self.moments[place]
        turns = [one.at_ms for one in self.moments[place + 1 - now.seq : place + 1] if one.is_turn]
        return {
            name: sum(now.clock_ms // width_ms - at_ms // width_ms < panes for at_ms in turns)
            for name, (width_ms, panes) in WINDOWS.items()
        }

    def _take_interaction(self, event: Interaction) -> str:
        if event.at <= self._wiped_ms:
            return BEFORE_WIPE
        if self._consent != GRANTED or event.at < self._consent_at_ms:
            return UNCONSENTED
        if event.event_id in self._ids[-IDS_KEPT:]:
            return DUPLICATE
        if event.at < self._clock_ms - LATENESS_MS:
            return LATE
        is_turn = event.turn_id is None or event.turn_id not in self._turns[-TURNS_KEPT:]
        if is_turn and event.turn_id is not None:
            self._turns.append(event.turn_id)
        pane = max(self._clock_ms, event.at) // WINDOWS["1h"][0]
        emits_profile = pane != self._profile_pane
        self._profile_pane = pane
        self._ids.append(event.event_id)
        self._accept(event, event.at, is_turn=is_turn, emits_profile=emits_profile)
        return ACCEPTED

    def _take_grant(self, event: Consent) -> str:
        """Grant; a "yes" must be newer than the last "no", forget or "yes"."""
        is_repeated = event.at == self._consent_at_ms and self._consent == GRANTED
        if event.at <= self._forgotten_ms or (event.at <= self._consent_at_ms and not is_repeated):
            return BEFORE_WIPE
        self._consent, self._consent_at_ms = GRANTED, event.at
        return self._accept_control(event, event.at)

    def _take_denial(self, event: Consent) -> str:
        """Deny; a "no" holds from the newest time that is known of the user."""
        at_ms = self._wipe(event)
        self._consent, self._consent_at_ms = DENIED, at_ms
        return self._accept_control(event, at_ms)

    def _take_forget(self, event: Forget) -> str:
        """End a granted consent and all pins; a "no" stays."""
        at_ms = self._wipe(event)
        self._forgotten_ms, self._pins = at_ms, {}
        if self._consent != DENIED:
            self._consent, self._consent_at_ms = UNASKED, at_ms
        return self._accept_control(event, at_ms)

    def _take_pin(self, event: Pin) -> str:
        pin = self._pins.get(event.facet)
        at_ms = event.at if event.value is None else max(event.at, self._clock_ms)
        is_too_old = event.value is None and pin is not None and at_ms <= pin.at_ms
        if event.at <= self._forgotten_ms or is_too_old:
            return BEFORE_WIPE
        if pin is not None and at_ms <= pin.at_ms and event.value != pin.value:
            at_ms = pin.at_ms + 1  # pins are ordered by time
        self._pins = self._pins | {event.facet: Pinned(event.value, at_ms)}
        return self._accept_control(event, at_ms)

    def _wipe(self, event: Consent | Forget) -> int:
        """Drop ids and turns, and return the time of the wipe."""
        self._wiped_ms = self._clock_ms = max(event.at, self._clock_ms)
        self._seq, self._ids, self._turns, self._profile_pane = 0, [], [], -1
        return self._wiped_ms

    def _accept_control(self, event: Event, at_ms: int) -> str:
        self._accept(event, at_ms, is_control=True)
        consent = f"{_CHARACTERS[self._consent]}{self._consent_at_ms:013d}"
        self.gate = f"{self._wiped_ms:013d}{self._forgotten_ms:013d}{3 * consent}{self._gate_pins()}"
        return ACCEPTED

    def _gate_pins(self) -> str:
        if not self._pins:
            return ""
        return json.dumps({"pins": dict(sorted(self._pins.items()))}, separators=(",", ":"))

    def _accept(
        self, event: Event, at_ms: int, *, is_control: bool = False, is_turn: bool = False, emits_profile: bool = False
    ) -> None:
        self._seq += 1
        self._clock_ms = max(self._clock_ms, at_ms)
        moment = Moment(
            event_id=event.event_id,
            at_ms=at_ms,
            clock_ms=self._clock_ms,
            seq=self._seq,
            wiped_ms=self._wiped_ms,
            forgotten_ms=self._forgotten_ms,
            consent=self._consent,
            consent_at_ms=self._consent_at_ms,
            pins=self._pins,
            is_control=is_control,
            is_turn=is_turn,
            emits_profile=emits_profile,
        )
        self.places.setdefault(moment.version, []).append(len(self.moments))
        self.moments.append(moment)


_CHARACTERS = {UNASKED: "-", GRANTED: "y", DENIED: "n"}


def _content(event: Event) -> bytes:
    return msgspec.json.encode(event, order="sorted")
