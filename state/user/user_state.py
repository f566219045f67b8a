"""One person's state: consent, pins, windows and preferences, and what an event changes in them.

Consent and wipes are registers that any order of events leaves with the same content: the epoch and the last forget
are maxima, consent is last-writer-wins by event time. So is each pin, but one that comes only after a wipe that is not
older is dropped, as every event is.
"""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.events.observation import NONE, Kind, Observation
from state.events.records import Reason
from state.learning.decisions import Beliefs
from state.learning.example import Example
from state.learning.off_policy import compared
from state.learning.population_prior import Prior
from state.learning.preferences import Learned, Preferences
from state.user.news import News
from state.user.recent import RecentEvents, RecentTurns
from state.user.sent import Sent
from state.user.windows import DAY_MS, Windows
from state.user.writes import GateWrite, SignalWrite

UNSAID, GRANTED, DENIED = range(3)
"""What the person last said about consent."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for everybody in this deployment."""

    catalogue: NumberedCatalogue
    lateness_ms: int = DAY_MS
    """An interaction older than the person's newest event by more than this is `late`."""
    ttl_ms: int | None = 30 * DAY_MS
    """A signal's time to live; None: for ever."""
    idle_ms: int = 90 * DAY_MS
    """Whoever comes back after a longer absence than this starts anew."""
    teaches: bool = False
    """Whether people's judgements are handed on to the population."""
    population: InitVar[Prior | None] = None
    prior: Prior = field(init=False)
    """What is believed of everybody; as given by `population`, otherwise nothing."""

    def __post_init__(self, population: Prior | None) -> None:
        object.__setattr__(self, "prior", population or Prior(self.catalogue))


class PinnedAt(NamedTuple):
    """A person's word on a facet."""

    slot: int
    """`NONE`: taken back."""
    at_ms: int
    in_force: bool
    """It was at the person's last event: not taken back, and its value in the catalogue of then."""


class UserState:
    """What we know of one person. `observe` is the only thing that changes it."""

    __slots__ = (
        "consent",
        "consent_at_ms",
        "earlier",
        "events",
        "example",
        "forgotten_ms",
        "gates",
        "newest_ms",
        "news",
        "pins",
        "preferences",
        "seq",
        "turns",
        "windows",
        "wiped_ms",
    )

    def __init__(self) -> None:
        self.wiped_ms = 0
        """Time of the last wipe: what is known was learned after it."""
        self.forgotten_ms = 0
        """Time of the last forget: pins and a granted consent are younger."""
        self.consent = UNSAID
        self.consent_at_ms = 0
        self.pins: dict[int, PinnedAt] = {}
        self.gates: list[tuple[int, int, bool]] = []
        """Epoch, consent time and opt-out after each unwritten word: a no must not hide behind a later yes."""
        self.earlier: tuple[News, ...] = ()
        """Unwritten news from before an absence."""
        self.example: Example | None = None
        """What the last observed event has to teach the population; whoever takes it puts None in its place."""
        self._start_anew(0)

    def _start_anew(self, at_ms: int) -> None:
        """Drop all that was learned and seen."""
        self.newest_ms = at_ms
        """The person's clock: the newest event time they have had."""
        self.seq = 0
        """Count of accepted events since the epoch."""
        self.events = RecentEvents()
        self.turns = RecentTurns()
        self.windows: Windows | None = None
        self.preferences: Preferences | None = None
        self.news = News()

    def observe(self, o: Observation, rules: Rules) -> Outcome | Reason:
        """Take in one event, and return what became of it; `Reason.LATE` is the only reason found here.

        What there is to say afterwards waits in `take_writes`.
        """
        if o.at_ms - self.newest_ms > rules.idle_ms and self.newest_ms and not self._come_back(o, rules):
            return Outcome.UNCONSENTED
        if o.kind == Kind.INTERACTION:
            return self._observe_interaction(o, rules)
        if o.event in self.events:
            return Outcome.DUPLICATE
        if o.kind == Kind.PIN:
            return self._observe_pin(o, rules)
        return self._observe_forget(o, rules) if o.kind == Kind.FORGET else self._observe_consent(o, rules)

    # The person's own word

    def _observe_consent(self, o: Observation, rules: Rules) -> Outcome:
        was_opted_out = self.opted_out
        word = DENIED if o.kind == Kind.DENY else GRANTED
        lapsed = word == GRANTED and self.newest_ms - o.at_ms > rules.idle_ms
        if not lapsed and (o.at_ms, word) > (self.consent_at_ms, self.consent):  # a tie goes to "no"
            self.consent_at_ms, self.consent = o.at_ms, word
        opts_out = self.opted_out and not was_opted_out  # perhaps in words older than the last forget
        wipes = opts_out or (word == DENIED and o.at_ms > self.wiped_ms)
        if wipes:
            self._wipe(o.at_ms)
        self._accept(o, rules)
        self.gates.append((self.wiped_ms, self.consent_at_ms, self.opted_out))
        if wipes or was_opted_out:
            self._say_pins(self.pins, rules)
        return Outcome.ACCEPTED

    def _observe_forget(self, o: Observation, rules: Rules) -> Outcome:
        if o.at_ms <= self.forgotten_ms:
            return Outcome.BEFORE_WIPE
        self.forgotten_ms = o.at_ms
        pinned = [facet for facet, pin in self.pins.items() if pin.in_force]
        self.pins = {facet: pin for facet, pin in self.pins.items() if pin.at_ms > o.at_ms}
        wipes = o.at_ms > self.wiped_ms
        if wipes:
            self._wipe(o.at_ms)
        self._accept(o, rules)
        self.gates.append((self.wiped_ms, self.consent_at_ms, self.opted_out))
        self._say_pins(self.pins if wipes else [facet for facet in pinned if facet not in self.pins], rules)
        return Outcome.ACCEPTED

    def _wipe(self, at_ms: int) -> None:
        """Raise the epoch and drop what was learned; the clock stays where words that outlive the wipe moved it."""
        self.wiped_ms = max(self.wiped_ms, at_ms)
        pinned_ms = max((pin.at_ms for pin in self.pins.values()), default=0)
        self._start_anew(max(self.wiped_ms, self.consent_at_ms, pinned_ms))
        self.gates, self.earlier = [], ()

    def _observe_pin(self, o: Observation, rules: Rules) -> Outcome:
        if o.at_ms <= self.wiped_ms:
            return Outcome.BEFORE_WIPE
        self._accept(o, rules)
        (facet,) = o.facets
        if facet not in self.pins or o.at_ms >= self.pins[facet].at_ms:
            self.pins[facet] = PinnedAt(o.slots[0] if o.slots else NONE, o.at_ms, bool(o.slots))
            self._say_pins([facet], rules)
        return Outcome.ACCEPTED

    @property
    def opted_out(self) -> bool:
        """The person's last word on consent was no."""
        return self.consent == DENIED

    def consents_to(self, at_ms: int, catalogue: NumberedCatalogue) -> bool:
        """Say whether consent holds now and is not younger than an event at that time."""
        if self.consent == DENIED:
            return False
        if self.consent == GRANTED and self.consent_at_ms > self.forgotten_ms:
            return self.consent_at_ms <= at_ms
        return catalogue.consent.default == "granted"

    def is_pinned(self, facet: int, catalogue: NumberedCatalogue) -> bool:
        """Say whether the person has set this facet to a value that the catalogue has."""
        pin = self.pins.get(facet)
        return pin is not None and pin.slot != NONE and pin.slot not in catalogue.idle_slots

    def _review_pins(self, rules: Rules) -> None:
        """Say what became of pins since the person's last event, as their values left the catalogue or came back."""
        for facet, pin in self.pins.items():
            in_force = self.is_pinned(facet, rules.catalogue)
            if in_force != pin.in_force:
                self.pins[facet] = pin._replace(in_force=in_force)
                self._say_pins([facet], rules)

    # Absence

    def _come_back(self, o: Observation, rules: Rules) -> bool:
        """Start anew after an absence; return False and change nothing if the person has to say yes first.

        Every event but an interaction without consent is accepted here: it is newer than all wipes, and no repeat of
        what is forgotten.
        """
        if o.kind == Kind.INTERACTION and (self.opted_out or rules.catalogue.consent.default != "granted"):
            return False
        earlier = (*self.earlier, self.news) if self.news else self.earlier
        self._lapse(o.at_ms)
        self.earlier = earlier
        if not self.opted_out and any(pin.in_force for pin in self.pins.values()):
            self._take_back_what_was_learned(o, rules)
        return True

    def _lapse(self, at_ms: int) -> None:
        """Drop what an absence ends: all that was learned and seen, and a granted consent."""
        if self.consent == GRANTED:
            self.consent = UNSAID
            if not self.wiped_ms:  # else there may be an older no, which the time of the yes keeps undone
                self.consent_at_ms = 0
        self._start_anew(at_ms)

    def _take_back_what_was_learned(self, o: Observation, rules: Rules) -> None:
        """Say that nothing is known: signals beside a pin have not expired."""
        catalogue = rules.catalogue
        facets = range(len(catalogue.facet_names))
        self._say_pins([facet for facet in facets if not self.is_pinned(facet, catalogue)], rules)
        if o.kind != Kind.INTERACTION:  # which says its own
            self.news.profile(Windows(), self.newest_ms, self.seq)

    def retire(self) -> bool:
        """Drop what an absence has ended, and return whether there is something that must be kept.

        For someone whose absence is sure to be longer than the idle time, with nothing waiting to be written: it
        changes nothing of what their next event does. What outlives an absence is kept: an explicit "no", pins, and
        the time of a wipe, without which the gate in Redis would refuse all that is written of the person from then on.
        """
        self._lapse(self.newest_ms)
        return self.opted_out or bool(self.pins) or self.wiped_ms > 0

    @property
    def is_retired(self) -> bool:
        """Nothing was accepted since `retire`, which would change nothing."""
        return not self.seq

    # Interactions

    def _observe_interaction(self, o: Observation, rules: Rules) -> Outcome | Reason:
        if o.at_ms <= self.wiped_ms:
            return Outcome.BEFORE_WIPE
        if not self.consents_to(o.at_ms, rules.catalogue):
            return Outcome.UNCONSENTED
        if o.event in self.events:
            return Outcome.DUPLICATE
        if o.at_ms < self.newest_ms - rules.lateness_ms:
            return Reason.LATE
        self._accept(o, rules)
        sensitive = o.topic in rules.catalogue.sensitive_topics
        turn, is_new_turn = self._turn(o.turn, sensitive)
        windows = self.windows = self.windows or Windows()
        if is_new_turn:
            windows.add_turn(o.at_ms, self.newest_ms, None if sensitive or o.topic == NONE else o.topic)
        if o.feedback != NONE:
            self._take_feedback(o, rules, windows, turn)
        self.news.profile(windows, self.newest_ms, self.seq)
        self._say_again(rules)
        return Outcome.ACCEPTED

    def _accept(self, o: Observation, rules: Rules) -> None:
        """Move the clock and all that goes by it, count the event and remember it."""
        before_ms = self.newest_ms
        self.newest_ms = max(before_ms, o.at_ms)
        self.seq += 1
        self.events.add(o.event)
        if self.windows is not None and self.newest_ms > before_ms:
            self.windows.advance(before_ms, self.newest_ms)
        if self.pins:
            self._review_pins(rules)

    def _turn(self, turn: int, sensitive: bool) -> tuple[int, bool]:
        """Return the turn's place among the recent ones (`NONE` without an id), and whether it is new.

        A sensitive turn counts as fully learned from, so that feedback which comes later without its topic finds no
        weight left.
        """
        if not turn:
            return NONE, True
        place, is_new = self.turns.place(turn)
        if sensitive:
            self.turns.learned[place] = 1.0
        return place, is_new

    def _take_feedback(self, o: Observation, rules: Rules, windows: Windows, turn: int) -> None:
        catalogue = rules.catalogue
        kind = catalogue.feedback_kinds[o.feedback]
        if kind.label is not True and (turn == NONE or self.turns.is_first_dislike(turn)):
            windows.sessions.add_dislike(o.at_ms)
        if o.topic in catalogue.sensitive_topics or not o.slots:
            return
        weight = kind.weight if turn == NONE else self.turns.weight_left(turn, kind.weight)
        if not weight:
            return
        if self.preferences is None:
            self.preferences = Preferences(catalogue)
            self.news.sent = Sent(len(catalogue.facet_names))
        feedback_count = self.preferences.feedback_count
        learned = self.preferences.learn_feedback(o, kind, weight, rules.prior)
        if not learned.facets:
            return
        if turn != NONE:
            self.turns.learned[turn] += weight
        if rules.teaches:
            self.example = self._example(o, kind.label is True, weight, feedback_count, learned, rules)
        beliefs = self.beliefs(rules.prior)
        for facet in learned.facets:
            if not self.is_pinned(facet, catalogue):
                self.news.learned(facet, beliefs, self.newest_ms, self.seq)

    def _example(
        self, o: Observation, liked: bool, weight: float, feedback_count: int, learned: Learned, rules: Rules
    ) -> Example:
        """Return what the population learns from this; before what was learned here is said."""
        own, facets, sent = learned.own, rules.catalogue.slot_facets, self.news.sent
        acted = [choice for choice in o.acted if not self.is_pinned(facets[choice[0]], rules.catalogue)]
        return Example(
            o.user, o.at_ms, o.topic, o.surface, o.item, liked, weight, feedback_count, learned.p,
            o.slots, own.bias, own.variance, own.shares, o.facets, learned.directed,
            compared(acted, sent, rules.prior.default_slots, facets) if acted and sent else (),
        )  # fmt: skip

    # What there is to say

    def beliefs(self, prior: Prior) -> Beliefs:
        """Return what is believed of this person's taste."""
        windows = self.windows
        leaning = prior.leaning(windows.topic_ids, windows.topic_weights) if windows else ()
        return Beliefs(self.preferences or Preferences(prior.catalogue), prior, leaning)

    def _say_pins(self, facets: Iterable[int], rules: Rules) -> None:
        if self.opted_out:
            return
        for facet in facets:
            if rules.catalogue.facet_slots[facet]:  # else the facet itself has left the catalogue
                self._say_pin(facet, rules)

    def _say_pin(self, facet: int, rules: Rules) -> None:
        """Say what the person has set; of a pin that is gone, what was learned in its place, which may be nothing."""
        if self.is_pinned(facet, rules.catalogue):
            slot = self.pins[facet].slot
            self.news.pinned(facet, slot, rules.prior, self.newest_ms, self.seq)
            return
        explores = self.consents_to(self.newest_ms, rules.catalogue)
        self.news.unpinned(facet, self.beliefs(rules.prior), self.newest_ms, self.seq, explores)

    def _say_again(self, rules: Rules) -> None:
        """Repeat what has lived half its time."""
        if rules.ttl_ms is None or self.preferences is None:
            return
        for facet in self.news.due(self.newest_ms - rules.ttl_ms // 2, rules.catalogue):
            self.news.learned(facet, self.beliefs(rules.prior), self.newest_ms, self.seq, anyway=True)

    def take_writes(self, user: bytes, catalogue: NumberedCatalogue) -> list[GateWrite | SignalWrite]:
        """Return what has to be written since the last call, gates first."""
        writes: list[GateWrite | SignalWrite] = [GateWrite(user, *gate) for gate in self.gates]
        said = [news for news in (*self.earlier, self.news) if news]
        writes += [SignalWrite(user, self.wiped_ms, news.at_ms, news.take(catalogue)) for news in said]
        self.gates, self.earlier = [], ()
        return writes
