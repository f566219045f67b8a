"""The parts of a user's state, and the operations that several kinds of events share."""

from collections.abc import Iterable
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.events.observation import Observation
from state.events.records import Reason
from state.learning.decisions import Beliefs
from state.learning.example import Example
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from state.user.beliefs import believe
from state.user.consent import Consent
from state.user.outbox import Outbox
from state.user.pins import Pins
from state.user.recent_events import RecentEvents
from state.user.recent_turns import RecentTurns
from state.user.rules import Rules
from state.user.windows import Windows
from state.user.writes import GateWrite, SignalWrite


class Observed(NamedTuple):
    """The result of an event."""

    outcome: Outcome | Reason
    """`Reason.LATE` is the only reason found here."""
    example: Example | None
    """Example for the population, if rules ask for examples and the event trained."""


ACCEPTED = Observed(Outcome.ACCEPTED, None)
BEFORE_WIPE = Observed(Outcome.BEFORE_WIPE, None)
DUPLICATE = Observed(Outcome.DUPLICATE, None)
LATE = Observed(Reason.LATE, None)
UNCONSENTED = Observed(Outcome.UNCONSENTED, None)


class UserParts:
    """Consent and pins, which the user controls, and the learned state, which wipes and absences end."""

    __slots__ = (
        "consent",
        "earlier",
        "events",
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
        self.earlier: tuple[Outbox, ...] = ()
        """Unwritten outboxes from before an absence."""
        self.restart(0)

    def restart(self, at_ms: int) -> None:
        """Drop the learned state, and set the clock."""
        self.newest_ms = at_ms
        """The user's clock: the newest event time."""
        self.seq = 0
        """Count of accepted events since the last wipe or absence."""
        self.events = RecentEvents()
        self.turns = RecentTurns()
        self.windows: Windows | None = None
        self.preferences: Preferences | None = None
        self.outbox = Outbox()

    def accept(self, o: Observation, rules: Rules) -> int:
        """Move the clock, count and remember the event; return the clock before.

        Pins with values that left the catalogue or came back since the user's last event are emitted.
        """
        before_ms = self.newest_ms
        if o.at_ms > before_ms:
            self.newest_ms = o.at_ms
        self.seq += 1
        self.events.add(o.event)
        if self.pins and (changed := self.pins.review(rules.catalogue)):
            self.emit_settings(changed, rules.prior, self.outbox)
        return before_ms

    def beliefs(self, prior: Prior) -> Beliefs:
        """Return all beliefs about the user."""
        return believe(self.preferences or Preferences(prior.catalogue), prior, self.windows)

    def emit_settings(self, facets: Iterable[int], prior: Prior, outbox: Outbox) -> None:
        """Emit the pin of each given facet or, without a pin, the learned decision.

        Facets that left the catalogue are skipped. For an opted-out user, no facet is emitted.
        """
        if self.consent.opted_out:
            return
        catalogue, at_ms, seq, beliefs = prior.catalogue, self.newest_ms, self.seq, None
        for facet in facets:
            if self.pins.is_set(facet, catalogue):
                outbox.emit_pin(facet, self.pins[facet].slot, prior, at_ms, seq)
            elif catalogue.facet_slots[facet]:
                explores = self.consent.allows(at_ms, catalogue)
                beliefs = beliefs or self.beliefs(prior)
                outbox.emit_belief(facet, beliefs, at_ms, seq, explores)

    def take_writes(self, user: bytes, catalogue: NumberedCatalogue) -> list[GateWrite | SignalWrite]:
        """Return the writes since the last call, gates first."""
        writes: list[GateWrite | SignalWrite] = [GateWrite(user, *gate) for gate in self.consent.gates]
        outboxes = [outbox for outbox in (*self.earlier, self.outbox) if outbox]
        wiped_ms = self.consent.wiped_ms
        writes += [SignalWrite(user, wiped_ms, outbox.at_ms, outbox.take(catalogue)) for outbox in outboxes]
        self.consent.gates, self.earlier = [], ()
        return writes
