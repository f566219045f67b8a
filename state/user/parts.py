"""The parts of a user's state, and the operations that several kinds of events share."""

from typing import NamedTuple, Self

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.events.observation import NONE
from state.events.records import Reason
from state.learning.decisions import Beliefs
from state.learning.example import Example
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.user_model import UserModel
from state.row.layout import Part, layout_of, sizes_of
from state.row.row import Row
from state.user.consent import Consent
from state.user.emitted import Emitted
from state.user.emitter import Emitter
from state.user.gate import gate_of
from state.user.history import History
from state.user.history_document import history_document
from state.user.outbox import Outbox
from state.user.pins import Pins
from state.user.recent_events import RecentEvents
from state.user.recent_turns import RecentTurns
from state.user.windows import Windows
from state.user.writes import GateWrite, SignalWrite, StoredHistory
from tacit.contract.gates import Gate

_MOST_SEQ = 2**32 - 1
_WINDOWS, _PREFERENCES, _UNWRITTEN_GATE = int(Part.WINDOWS), int(Part.PREFERENCES), int(Part.UNWRITTEN_GATE)


class Observed(NamedTuple):
    """The result of an event."""

    outcome: Outcome | Reason
    """`Reason.LATE` and, of control events, `Reason.WRONG_REGION` are the only reasons found here."""
    example: Example | None = None
    """Example for the population, if rules ask for examples and the event trained."""
    wipes: bool = False
    """Learned state was dropped, for a user or for some facets: its bytes must leave the disk, and the population."""
    remembers: bool = False
    """A control event was new: its repeats change nothing, even if it was itself refused."""

    @property
    def changes(self) -> bool:
        """The event changed the state."""
        return self.wipes or self.remembers or self.outcome is Outcome.ACCEPTED


ACCEPTED = Observed(Outcome.ACCEPTED)
BEFORE_WIPE = Observed(Outcome.BEFORE_WIPE)
DUPLICATE = Observed(Outcome.DUPLICATE)
LATE = Observed(Reason.LATE)
UNCONSENTED = Observed(Outcome.UNCONSENTED)
WRONG_REGION = Observed(Reason.WRONG_REGION)


class Waiting:
    """The writes that wait for a user; they are no part of the row."""

    def __init__(self) -> None:
        self.gates: list[tuple[Gate, int]] = []
        """Unwritten gates, one after each control event, so that no "no" hides behind a later "yes", with its time."""
        self.earlier: tuple[Outbox, ...] = ()
        """Unwritten outboxes from before an absence."""
        self.outbox = Outbox()
        self.history: StoredHistory | None = None
        """Unwritten history from before an absence."""


class UserParts:
    """Consent and pins, which the user controls, and the learned state, which wipes and absences end.

    All parts read and write the present row of a table. `move_to` makes another user the present one.
    """

    def __init__(self, catalogue: NumberedCatalogue, row: Row | None = None) -> None:
        """Stand at a row of a table; without one, at the blank row of an unknown user."""
        if row is None:
            row = Row(layout_of(sizes_of(catalogue)))
            row.write(row.layout.blank)
        self.row = row
        self.catalogue = catalogue
        self.consent = Consent(row)
        self.pins = Pins(row)
        self.events = RecentEvents(row)
        self.turns = RecentTurns(row)
        self.windows = Windows(row)
        self.model = UserModel(row, catalogue)
        self.emitted = Emitted(row)
        self.history = History(row, catalogue)
        self.emitter = Emitter(self.model, self.emitted, catalogue, self.pins, self.history)
        self.waiting = Waiting()

    def move_to(self, place: int, waiting: Waiting) -> None:
        """Make the user at a place the present one."""
        self.row.at = place
        self.waiting = waiting

    @property
    def newest_ms(self) -> int:
        """The user's clock: the newest event time."""
        return self.row.newest_ms[self.row.at]

    @property
    def seq(self) -> int:
        """Count of accepted events since the last wipe or absence."""
        return self.row.seq[self.row.at]

    @property
    def has_windows(self) -> bool:
        """The user has activity."""
        return bool(self.row.parts[self.row.at] & _WINDOWS)

    @property
    def has_preferences(self) -> bool:
        """Some feedback of the user has trained."""
        return bool(self.row.parts[self.row.at] & _PREFERENCES)

    @property
    def preferences(self) -> OwnBeliefs | None:
        """The user's own beliefs; None before the first feedback that trains."""
        return self.model if self.has_preferences else None

    def restart(self, at_ms: int) -> None:
        """Drop the learned state and all waiting signals, and set the clock."""
        row = self.row
        row.newest_ms[row.at] = at_ms
        row.seq[row.at] = row.profile_pane[row.at] = 0
        self.events.clear()
        self.turns.clear()
        self.windows.clear()
        self.model.clear()
        self.emitted.clear()
        self.history.drop_changes()
        self.waiting.outbox, self.waiting.earlier = Outbox(), ()

    def accept(self, at_ms: int) -> int:
        """Move the clock, and count an event; return the clock before."""
        row = self.row
        before_ms = row.newest_ms[row.at]
        if at_ms > before_ms:
            row.newest_ms[row.at] = at_ms
        if row.seq[row.at] < _MOST_SEQ:
            row.seq[row.at] += 1
        return before_ms

    def begin_preferences(self) -> None:
        """Begin a user model at its prior."""
        self.model.begin()
        self.emitted.retract_all()

    def beliefs(self, prior: Prior) -> Beliefs:
        """Return all beliefs about the user; of a user without preferences, those of a new user model."""
        if self.has_preferences:
            return self.emitter.believe(prior)
        twin = self.copy()
        twin.begin_preferences()
        return twin.emitter.believe(prior)

    def emit_all(self, prior: Prior) -> None:
        """Emit the decision on each facet with feedback, and the profile; nothing without consent to `use`."""
        outbox = self.waiting.outbox
        if not self.consent.uses:
            return
        if self.has_preferences:
            self.emitter.emit_facets(outbox, prior, self.learned_facets(), True)
        if self.has_windows:
            self.emitter.emit_profile(outbox)

    def copy(self) -> Self:
        """Return an independent copy of the present user, without waiting writes."""
        twin = type(self)(self.catalogue, Row(self.row.layout))
        twin.row.write(self.row.read())
        twin.row.tails[0] = self.row.tails[self.row.at]
        return twin

    def learned_facets(self) -> list[int]:
        """Return the facets of the catalogue with feedback."""
        slots = self.catalogue.facet_slots
        return [facet for facet, values in enumerate(slots) if values and self.model.has_feedback(facet)]

    def withhold(self) -> None:
        """Drop all waiting signals, and every record of emitted ones."""
        self.waiting.outbox, self.waiting.earlier = Outbox(), ()
        row = self.row
        row.profile_pane[row.at] = 0
        if self.has_preferences:
            self.emitted.retract_all()

    def retract(self, facet: int) -> None:
        """Drop the waiting signal of a facet, and the record of the emitted one."""
        self.waiting.outbox.findings.pop(facet, None)
        if self.has_preferences:
            self.emitted.retract(facet)

    def note_gate(self, catalogue: NumberedCatalogue, asked_ms: int = 0) -> None:
        """Note the present gate, to be written, with the time of its control event."""
        self.waiting.gates.append((gate_of(self.consent, self.pins, catalogue), asked_ms))

    def take_writes(self, user: bytes, catalogue: NumberedCatalogue) -> list[GateWrite | SignalWrite]:
        """Return the writes since the last call, gates first."""
        waiting, row = self.waiting, self.row
        if row.parts[row.at] & _UNWRITTEN_GATE:
            row.parts[row.at] &= ~_UNWRITTEN_GATE
            self.note_gate(catalogue)
        writes: list[GateWrite | SignalWrite] = [GateWrite(user, *noted) for noted in waiting.gates]
        outboxes = [outbox for outbox in (*waiting.earlier, waiting.outbox) if outbox]
        wiped_ms, explores = self.consent.wiped_ms, self.consent.explores(catalogue)
        for outbox in outboxes:
            tries = explores if outbox.explores is None else outbox.explores
            writes.append(SignalWrite(user, wiped_ms, outbox.at_ms, self.emitter.take(outbox, tries)))
        document, waiting.history = waiting.history, None
        waiting.gates, waiting.earlier = [], ()
        if self.history.take():
            document = history_document(self.history, catalogue)
        if document is not None:
            last = writes.pop() if writes else SignalWrite(user, wiped_ms, document.at_ms, ())
            writes.append(last._replace(history=document))
        return writes

    def keep_history(self) -> None:
        """Let an unwritten history be written as it is, before an absence ends a part of it."""
        if self.history.take():
            self.waiting.history = history_document(self.history, self.catalogue)

    def served(self, facet: int) -> int:
        """Return the slot that readers serve in general: the pin, or the emitted value; `NONE` for the default."""
        if not self.consent.uses:
            return NONE
        if self.pins.is_set(facet, self.catalogue):
            return self.pins[facet].slot
        return self.emitter.served(facet) if self.has_preferences else NONE
