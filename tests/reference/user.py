"""State of a user, and the effect of each event."""

from typing import Any, NamedTuple

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.events.observation import NONE, Observation
from state.events.records import Reason
from state.learning.population_prior import Prior
from state.user.rules import Rules
from tacit.contract.activity import DAY_MS
from tacit.contract.catalogue import FeedbackKind
from tacit.contract.gates import encode_gate
from tests.reference.activity import Windows
from tests.reference.consent import DENIED, GRANTED, LAPSED, UNASKED, Consent, Pins, gate_of
from tests.reference.decisions import Beliefs
from tests.reference.emission import Outbox
from tests.reference.history import History
from tests.reference.logged import logged_choices
from tests.reference.recent import Recent, Turn
from tests.reference.training import Learned, Preferences

GRACE_MS = 30 * DAY_MS
"""Time after an absence in which a lapsed consent is remembered."""


class Observed(NamedTuple):
    """The result of an event; `example` is packed, and `wipes` means that learned state was dropped."""

    outcome: Outcome | Reason
    example: bytes | None = None
    wipes: bool = False
    remembers: bool = False

    @property
    def changes(self) -> bool:
        return self.wipes or self.remembers or self.outcome is Outcome.ACCEPTED


class Write(NamedTuple):
    """A gate, or fields of signals with the times of the last wipe and of the newest field."""

    user: bytes
    gate: bytes = b""
    wiped_ms: int = 0
    at_ms: int = 0
    fields: tuple[tuple[str, bytes], ...] = ()
    history: tuple[int, bytes] | None = None
    """Time of the last entry, and the document."""


class UserParts:
    """Consent and pins, which the user controls, and the learned state, which wipes and absences end."""

    def __init__(self) -> None:
        self.consent = Consent()
        self.pins = Pins()
        self.history = History()
        self.earlier_history: tuple[int, bytes] | None = None
        """Unwritten document from before an absence."""
        self.gates: list[bytes] = []
        self.restart(0)

    def restart(self, at_ms: int) -> None:
        """Drop the learned state and all waiting signals, and set the clock."""
        self.newest_ms = at_ms
        self.seq = 0
        self.recent = Recent()
        self.windows: Windows | None = None
        self.preferences: Preferences | None = None
        self.outbox = Outbox()
        self.earlier: list[Outbox] = []
        """Outboxes from before an absence."""
        self.history.drop_changes()

    def adopt(self, catalogue: NumberedCatalogue) -> None:
        """Change to a later catalogue."""
        if self.windows is not None:
            self.windows.drop(catalogue.sensitive_topics)
        if self.preferences is not None:
            starts_again = self.preferences.adopt(catalogue)
            ended = self.preferences.contexts.drop(catalogue.sensitive_keys)
            self.outbox.adopt(catalogue, ended, starts_again)

    def accept(self, at_ms: int) -> None:
        """Move the clock, and count an event."""
        before_ms, self.newest_ms = self.newest_ms, max(self.newest_ms, at_ms)
        self.seq += 1
        if self.windows is not None:
            self.windows.advance(before_ms, self.newest_ms)

    def come_back(self, at_ms: int, rules: Rules) -> bool:
        """Restart after an absence, and return whether the state changed."""
        absent_ms = at_ms - self.newest_ms
        if not self.newest_ms or absent_ms <= rules.idle_ms:
            return False
        if self.outbox:
            self.outbox.explores = self.consent.explores(rules.catalogue)
        earlier = [outbox for outbox in (*self.earlier, self.outbox) if outbox]
        if self.history.waits and (self.seq or (absent_ms > rules.idle_ms + GRACE_MS and not self._is_kept)):
            self.history.waits = False
            self.earlier_history = self.history.document(rules.catalogue)
        has_ended = absent_ms > rules.idle_ms + GRACE_MS
        if has_ended and not self._is_kept:
            self.restart(0)
            self.consent, self.pins, self.history = Consent(), Pins(), History()
        else:
            if has_ended:
                changed = self.consent.change({GRANTED, LAPSED}, UNASKED, self.newest_ms + rules.idle_ms + GRACE_MS)
            else:
                changed = self.consent.change({GRANTED}, LAPSED, self.newest_ms + rules.idle_ms)
            if changed:
                self.note_gate(rules.catalogue)
            if not self.seq:
                return changed
            self.restart(self.newest_ms)
            self.history.end_absence()
        self.earlier = earlier
        return True

    @property
    def _is_kept(self) -> bool:
        wipes = (self.consent.wiped_ms, *(at_ms for at_ms, _ in self.consent.wiped.values()))
        return DENIED in self.consent.states or self.pins.in_force or any(wipes)

    def beliefs(self, prior: Prior) -> Beliefs:
        return Beliefs(self.preferences or Preferences(prior.catalogue), prior, self.windows)

    def emit_all(self, prior: Prior, outbox: Outbox) -> None:
        """Emit the decision on each facet with feedback, and the profile; nothing without consent to `use`."""
        if not self.consent.uses:
            return
        for facet, slots in enumerate(prior.catalogue.facet_slots):
            if self.preferences is not None and slots and self.preferences.has_feedback(facet):
                outbox.emit(facet, self.beliefs(prior), self.newest_ms, self.seq)
        if self.windows is not None:
            outbox.emit_profile(self.windows, prior.catalogue, self.newest_ms, self.seq)

    def withhold(self) -> None:
        """Drop all waiting signals, and every record of emitted ones."""
        self.outbox, self.earlier = Outbox(len(self.outbox.emitted)), []

    def note_gate(self, catalogue: NumberedCatalogue) -> None:
        self.gates.append(encode_gate(gate_of(self.consent, self.pins, catalogue)))

    def take_writes(self, user: bytes, catalogue: NumberedCatalogue) -> list[Write]:
        """Return the writes since the last call, gates first."""
        wiped_ms, explores = self.consent.wiped_ms, self.consent.explores(catalogue)
        gates = [Write(user, gate) for gate in self.gates]
        outboxes = [outbox for outbox in (*self.earlier, self.outbox) if outbox]
        self.gates, self.earlier = [], []
        tried = [explores if box.explores is None else box.explores for box in outboxes]
        writes = gates + [
            Write(user, b"", wiped_ms, box.at_ms, box.take(catalogue, tries))
            for box, tries in zip(outboxes, tried, strict=True)
        ]
        document, self.earlier_history = self.earlier_history, None
        if self.history.waits:
            self.history.waits = False
            document = self.history.document(catalogue)
        if document is not None:
            writes = writes or [Write(user, b"", wiped_ms, document[0])]
            writes[-1] = writes[-1]._replace(history=document)
        return writes

    def note_changes(self, catalogue: NumberedCatalogue) -> None:
        """Note the changes of served values that were emitted."""
        for facet, before, slot, source in self.outbox.take_changes(catalogue):
            if not self.pins.is_set(facet, catalogue):
                self.history.change(self.newest_ms, facet, before, slot, source)

    def served(self, facet: int, catalogue: NumberedCatalogue) -> int:
        """Return the value that readers serve in general; `NONE` for the default."""
        if not self.consent.uses:
            return NONE
        if self.pins.is_set(facet, catalogue):
            return self.pins[facet][0]
        return self.outbox.served_in_general(facet, catalogue)


def observe_interaction(user: UserParts, o: Observation, rules: Rules) -> Observed:
    """Take in an interaction."""
    is_back = user.come_back(o.at_ms, rules)
    if o.at_ms <= user.consent.wiped_ms:
        return Observed(Outcome.BEFORE_WIPE, None, is_back)
    if not user.consent.allows(o.at_ms, rules.catalogue):
        return Observed(Outcome.UNCONSENTED, None, is_back)
    if o.event in user.recent.events:
        return Observed(Outcome.DUPLICATE, None, is_back)
    if o.at_ms < user.newest_ms - rules.lateness_ms:
        return Observed(Reason.LATE, None, is_back)
    return Observed(Outcome.ACCEPTED, _observe_accepted(user, o, rules), is_back)


def _observe_accepted(user: UserParts, o: Observation, rules: Rules) -> bytes | None:
    """Count activity, train, and emit; return the example for the population."""
    catalogue, prior = rules.catalogue, rules.prior
    kind = catalogue.feedback_kinds.get(o.feedback)
    weight, disliked = (kind.weight, kind.label is not True) if kind else (0.0, False)
    sensitive = o.topic in catalogue.sensitive_topics
    user.windows = user.windows or Windows()
    user.accept(o.at_ms)
    user.recent.add_event(o.event)
    turn, is_new_turn, disliked, weight = user.recent.observe_turn(o.turn, weight, disliked, sensitive)
    if is_new_turn:
        user.windows.add_turn(o.at_ms, user.newest_ms, None if sensitive or o.topic == NONE else o.topic)
    if disliked:
        user.windows.add_dislike(o.at_ms)
    forgotten = {facet for facet, (at_ms, _) in user.consent.wiped.items() if o.at_ms <= at_ms}
    slots = [slot for slot in o.slots if catalogue.slot_facets[slot] not in forgotten]
    o = msgspec.structs.replace(o, slots=slots)
    learned, example = None, None
    if kind is not None and weight and slots:
        learned, example = _train(user, o, rules, kind, weight, turn)
    if not user.consent.uses:
        return example
    clock, outbox, pane = (user.newest_ms, user.seq), user.outbox, user.outbox.profile_pane
    if learned:
        outbox.free(learned.opened)
        outbox.emit_learned(learned.facets, learned.rows, user.beliefs(prior), *clock)
    outbox.emit_profile(user.windows, catalogue, *clock)
    if rules.ttl_ms is not None:
        outbox.emit_due(user.newest_ms - rules.ttl_ms // 2, user.beliefs(prior), *clock)
    user.note_changes(catalogue)
    if rules.ttl_ms is not None and outbox.profile_pane != pane:
        user.history.renew(user.newest_ms - rules.ttl_ms // 2, user.newest_ms)
    return example


def _train(
    user: UserParts, o: Observation, rules: Rules, kind: FeedbackKind, weight: float, turn: Turn | None
) -> tuple[Learned | None, bytes | None]:
    """Train with feedback, and return the result with the example for the population."""
    if user.preferences is None:
        user.preferences = Preferences(rules.catalogue)
        user.outbox.emitted = Outbox(len(rules.catalogue.facet_names)).emitted
    own, is_repeated = user.preferences, turn is not None and turn.learned > 0
    feedback_count = own.feedback_count
    logged = None
    if rules.proves and not is_repeated:
        logged = logged_choices(o, own, user.outbox, user.pins, rules.catalogue)
    learned = own.learn(o, kind, weight, rules.prior)
    if not learned.facets:
        return None, None
    if turn is not None:
        turn.use(weight)
    if not rules.teaches and (logged is None or not logged.has_content):
        return learned, None
    before = learned.own
    example: list[Any] = [
        o.user, o.at_ms, o.topic, o.surface, o.item, kind.label is True, weight, feedback_count, learned.p,
        o.slots, before.bias, before.variance, before.shares, o.facets, learned.directed, logged,
    ]  # fmt: skip
    return learned, msgspec.msgpack.encode(example)
