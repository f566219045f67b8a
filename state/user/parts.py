"""The parts of a user's state, and the operations that several kinds of events share."""

from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.events.records import Reason
from state.learning.decisions import Beliefs
from state.learning.example import Example
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from state.user.beliefs import believe
from state.user.consent import Consent
from state.user.emitted import Emitted
from state.user.gate import gate_of
from state.user.outbox import Outbox
from state.user.pins import Pins
from state.user.recent_events import RecentEvents
from state.user.recent_turns import RecentTurns
from state.user.windows import Windows
from state.user.writes import GateWrite, SignalWrite
from tacit.contract.gates import Gate


class Observed(NamedTuple):
    """The result of an event."""

    outcome: Outcome | Reason
    """`Reason.LATE` and, of control events, `Reason.WRONG_REGION` are the only reasons found here."""
    example: Example | None = None
    """Example for the population, if rules ask for examples and the event trained."""
    wipes: bool = False
    """Learned state was dropped, for a user or for some facets: its bytes must leave the disk, and the population."""

    @property
    def changes(self) -> bool:
        """The event changed the state."""
        return self.wipes or self.outcome is Outcome.ACCEPTED


ACCEPTED = Observed(Outcome.ACCEPTED)
BEFORE_WIPE = Observed(Outcome.BEFORE_WIPE)
DUPLICATE = Observed(Outcome.DUPLICATE)
LATE = Observed(Reason.LATE)
UNCONSENTED = Observed(Outcome.UNCONSENTED)
WRONG_REGION = Observed(Reason.WRONG_REGION)


class UserParts:
    """Consent and pins, which the user controls, and the learned state, which wipes and absences end."""

    __slots__ = (
        "consent",
        "earlier",
        "events",
        "gates",
        "newest_ms",
        "outbox",
        "pins",
        "preferences",
        "seq",
        "turns",
        "windows",
    )

    def __init__(self) -> None:
        self.consent = Consent()
        self.pins = Pins()
        self.gates: list[Gate] = []
        """Unwritten gates, one after each control event, so that no "no" hides behind a later "yes"."""
        self.restart(0)

    def restart(self, at_ms: int) -> None:
        """Drop the learned state and all waiting signals, and set the clock."""
        self.newest_ms = at_ms
        """The user's clock: the newest event time."""
        self.seq = 0
        """Count of accepted events since the last wipe or absence."""
        self.events = RecentEvents()
        self.turns = RecentTurns()
        self.windows: Windows | None = None
        self.preferences: Preferences | None = None
        self.outbox = Outbox()
        self.earlier: tuple[Outbox, ...] = ()
        """Unwritten outboxes from before an absence."""

    def accept(self, at_ms: int) -> int:
        """Move the clock, and count an event; return the clock before."""
        before_ms = self.newest_ms
        if at_ms > before_ms:
            self.newest_ms = at_ms
        self.seq += 1
        return before_ms

    def beliefs(self, prior: Prior) -> Beliefs:
        """Return all beliefs about the user."""
        return believe(self.preferences or Preferences(prior.catalogue), prior, self.windows)

    def emit_all(self, prior: Prior, outbox: Outbox) -> None:
        """Emit the decision on each facet with feedback, and the profile; nothing without consent to `use`."""
        if not self.consent.uses:
            return
        if self.preferences is not None:
            beliefs = self.beliefs(prior)
            for facet, slots in enumerate(prior.catalogue.facet_slots):
                if slots and self.preferences.has_feedback(facet):
                    outbox.emit_belief(facet, beliefs, self.newest_ms, self.seq)
        if self.windows is not None:
            outbox.emit_profile(self.windows, self.newest_ms, self.seq)

    def withhold(self) -> None:
        """Drop all waiting signals, and every record of emitted ones."""
        emitted, self.outbox, self.earlier = self.outbox.emitted, Outbox(), ()
        if emitted is not None:
            self.outbox.emitted = Emitted(len(emitted.slot))

    def note_gate(self, catalogue: NumberedCatalogue) -> None:
        """Note the present gate, to be written."""
        self.gates.append(gate_of(self.consent, self.pins, catalogue))

    def take_writes(self, user: bytes, catalogue: NumberedCatalogue) -> list[GateWrite | SignalWrite]:
        """Return the writes since the last call, gates first."""
        writes: list[GateWrite | SignalWrite] = [GateWrite(user, gate) for gate in self.gates]
        outboxes = [outbox for outbox in (*self.earlier, self.outbox) if outbox]
        wiped_ms, explores = self.consent.wiped_ms, self.consent.explores(catalogue)
        writes += [SignalWrite(user, wiped_ms, outbox.at_ms, outbox.take(catalogue, explores)) for outbox in outboxes]
        self.gates, self.earlier = [], ()
        return writes
