"""Account of one user: every accepted event, and the state of the user after the event.

The account follows docs/contract.md alone and shares only the event types with the dataflow. Windows are counted from
all turns on each request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tacit.contract.events import Consent, Event, Forget, Interaction, Pin

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LATENESS_MS = DAY_MS
WINDOWS = {"1h": (5 * MINUTE_MS, 12), "24h": (HOUR_MS, 24), "7d": (DAY_MS, 7)}
"""Width and number of the panes of each sliding window."""
IDS_KEPT, TURNS_KEPT = 64, 16

ACCEPTED, DUPLICATE, UNCONSENTED, BEFORE_WIPE, LATE = "accepted", "duplicate", "unconsented", "before_wipe", "late"
UNSET, GRANTED, DENIED = "unset", "granted", "denied"


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
    is_turn: bool
    """True if the windows count the event as a turn."""
    emits_profile: bool
    emits_pins: frozenset[str]
    """Facets whose pin, or its removal, is emitted."""

    @property
    def version(self) -> str:
        """Version of the signals that are emitted at this moment."""
        return f"{self.clock_ms:013d}-{self.seq:010d}"

    def pinned(self, facet: str) -> str | None:
        """Return the pinned value of a facet."""
        pin = self.pins.get(facet)
        return pin.value if pin else None


@dataclass
class Account:
    """Events of one user in order, and their effects."""

    moments: list[Moment] = field(default_factory=list)
    """Moments before and after wipes."""
    places: dict[str, list[int]] = field(default_factory=dict)
    """Indexes into `moments` by version: a late opt-out can repeat a version."""
    gate: str | None = None
    """Gate in Redis for wipes and consent; None: no gate."""
    _wiped_ms: int = 0
    _forgotten_ms: int = 0
    _consent: str = UNSET
    _consent_at_ms: int = 0
    _pins: dict[str, Pinned] = field(default_factory=dict)
    _clock_ms: int = 0
    _ids: list[str] = field(default_factory=list)
    """Ids of accepted events since the wipe."""
    _turns: list[str] = field(default_factory=list)
    _profile_pane: int = -1

    def take(self, event: Event) -> str:
        """Enter an event and return its outcome."""
        if isinstance(event, Interaction):
            return self._take_interaction(event)
        if self._is_repeat(event):
            return DUPLICATE
        if isinstance(event, Consent):
            return self._take_consent(event)
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
        consents = self._consent == GRANTED and self._consent_at_ms > self._forgotten_ms
        if not consents or event.at < self._consent_at_ms:
            return UNCONSENTED
        if self._is_repeat(event):
            return DUPLICATE
        if event.at < self._clock_ms - LATENESS_MS:
            return LATE
        is_turn = event.turn_id is None or event.turn_id not in self._turns[-TURNS_KEPT:]
        if is_turn and event.turn_id is not None:
            self._turns.append(event.turn_id)
        pane = max(self._clock_ms, event.at) // WINDOWS["1h"][0]
        emits_profile = pane != self._profile_pane
        self._profile_pane = pane
        return self._accept(event, is_turn=is_turn, emits_profile=emits_profile)

    def _take_consent(self, event: Consent) -> str:
        was_denied = self._consent == DENIED
        if event.at > self._consent_at_ms or (event.at == self._consent_at_ms and not event.granted):
            self._consent, self._consent_at_ms = GRANTED if event.granted else DENIED, event.at
        withdraws = self._consent == DENIED and not was_denied
        wipes = withdraws or (not event.granted and event.at > self._wiped_ms)
        if wipes:
            self._wipe(event.at)
        self._accept(event, emits_pins=self._pins if wipes or was_denied else ())
        return self._update_gate()

    def _take_forget(self, event: Forget) -> str:
        if event.at <= self._forgotten_ms:
            return BEFORE_WIPE
        self._forgotten_ms = event.at
        gone = [facet for facet, pin in self._pins.items() if pin.at_ms <= event.at and pin.value is not None]
        self._pins = {facet: pin for facet, pin in self._pins.items() if pin.at_ms > event.at}
        wipes = event.at > self._wiped_ms
        if wipes:
            self._wipe(event.at)
        self._accept(event, emits_pins=self._pins if wipes else gone)
        return self._update_gate()

    def _take_pin(self, event: Pin) -> str:
        if event.at <= self._wiped_ms:
            return BEFORE_WIPE
        counts = event.facet not in self._pins or event.at >= self._pins[event.facet].at_ms
        if counts:
            self._pins = self._pins | {event.facet: Pinned(event.value, event.at)}
        return self._accept(event, emits_pins=[event.facet] if counts else ())

    def _is_repeat(self, event: Event) -> bool:
        return event.event_id in self._ids[-IDS_KEPT:]

    def _wipe(self, at_ms: int) -> None:
        """Drop ids and turns; set the clock to the newest wipe, consent or pin."""
        self._wiped_ms = max(self._wiped_ms, at_ms)
        self._clock_ms = max([self._wiped_ms, self._consent_at_ms, *(pin.at_ms for pin in self._pins.values())])
        self._ids, self._turns, self._profile_pane = [], [], -1

    def _accept(
        self, event: Event, *, is_turn: bool = False, emits_profile: bool = False, emits_pins: Iterable[str] = ()
    ) -> str:
        self._ids.append(event.event_id)
        self._clock_ms = max(self._clock_ms, event.at)
        moment = Moment(
            event_id=event.event_id,
            at_ms=event.at,
            clock_ms=self._clock_ms,
            seq=len(self._ids),
            wiped_ms=self._wiped_ms,
            forgotten_ms=self._forgotten_ms,
            consent=self._consent,
            consent_at_ms=self._consent_at_ms,
            pins=self._pins,
            is_turn=is_turn,
            emits_profile=emits_profile,
            emits_pins=frozenset(() if self._consent == DENIED else emits_pins),
        )
        self.places.setdefault(moment.version, []).append(len(self.moments))
        self.moments.append(moment)
        return ACCEPTED

    def _update_gate(self) -> str:
        flag = "x" if self._consent == DENIED else "-"
        self.gate = f"{self._wiped_ms:013d}{flag}{self._consent_at_ms:013d}"
        return ACCEPTED
