"""Emission of signals: the present decisions and the profile of a user go to an outbox when they have changed.

Each event decides whether its signals are emitted, so the result depends on the user's events alone, not on batches.
"""

from collections.abc import Iterable, Sequence

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning.context_decisions import Context, contexts_at, contexts_of, decide_in
from state.learning.decisions import NO_ROW, Beliefs, Decision, InContext, decide, find
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.signal_text import SignalText
from state.row.layout import Part
from state.row.row import Row
from state.user.emitted import Emitted
from state.user.history import LEARNED, POPULATION, History
from state.user.outbox import Outbox
from state.user.pins import Pins
from state.user.windows import PANE_MS, Windows
from tacit.contract.signals import PROFILE, encode
from tacit.contract.versions import version

_PANE_MS, _NO_ROW, _NONE = PANE_MS, NO_ROW, NONE
_LEARNED, _POPULATION = LEARNED, POPULATION
_PANE_BITS = 2**32 - 1
_PREFERENCES = int(Part.PREFERENCES)
_WINDOWS = int(Part.WINDOWS)


class Emitter:
    """Emits signals of the present user; the user's clock and count of events make their versions."""

    def __init__(
        self, own: OwnBeliefs, emitted: Emitted, catalogue: NumberedCatalogue, pins: Pins, history: History
    ) -> None:
        self.row = own.row
        self.own = own
        self.emitted = emitted
        self.pins = pins
        self.history = history
        self.careful = frozenset(catalogue.careful_facets)
        self.catalogue = catalogue
        self.ranks = catalogue.slot_ranks
        self.text = SignalText(catalogue)
        self.beliefs: Beliefs | None = None
        """Beliefs under the prior of the last emission."""
        self.profiled = Row(own.row.layout)
        """Row of a waiting profile."""

    def believe(self, prior: Prior) -> Beliefs:
        """Return all beliefs about the present user."""
        if self.beliefs is None:
            self.beliefs = Beliefs(self.own, prior)
        self.beliefs.renew(prior)
        if self.row.parts[self.row.at] & _WINDOWS:
            self.beliefs.lean()
        return self.beliefs

    def emit_learned(
        self, outbox: Outbox, prior: Prior, facets: Sequence[int], rows: Sequence[int], opened: Sequence[int]
    ) -> None:
        """Emit the decisions on trained facets that differ from the emitted ones, in general or in the contexts.

        Args:
            outbox: outbox of the user.
            prior: the population's beliefs.
            facets: facets that were trained.
            rows: rows of the answer's contexts.
            opened: rows that got a new context.
        """
        emitted, beliefs = self.emitted, self.believe(prior)
        if opened:
            for facet in range(emitted.facets):
                emitted.free(facet, opened)
        present, contexts = contexts_at(beliefs, rows), None
        for facet in facets:
            decision = decide(beliefs, facet)
            if emitted.differs(facet, decision) or self._differs_in(beliefs, facet, decision, rows, present):
                if contexts is None:
                    contexts = contexts_of(beliefs, beliefs.topics())
                self._emit(outbox, beliefs, facet, decision, contexts, True)

    def _differs_in(
        self, beliefs: Beliefs, facet: int, decision: Decision, rows: Sequence[int], present: Sequence[Context]
    ) -> bool:
        """Return whether a value in a context differs from the last emitted one."""
        emitted = self.emitted
        for place in rows:
            rank = 0
            for context in present:
                if context.row == place:
                    there = decide_in(beliefs, facet, decision, context)
                    rank = 0 if there is None else self.ranks[there.slot]
            if emitted.rank(facet, place) != rank:
                return True
        return False

    def emit_due(self, outbox: Outbox, prior: Prior, before_ms: int) -> None:
        """Emit the decisions that were emitted before that time once more."""
        emitted, row = self.emitted, self.row
        if not row.parts[row.at] & _PREFERENCES:
            return
        slots = self.catalogue.facet_slots  # a facet that left the catalogue stays due
        due = False
        for facet in range(emitted.facets):
            due = due or (emitted.is_due(facet, before_ms) and slots[facet] != ())
        if due:
            facets = [facet for facet in range(emitted.facets) if emitted.is_due(facet, before_ms) and slots[facet]]
            self.emit_facets(outbox, prior, facets, True)

    def emit_facets(self, outbox: Outbox, prior: Prior, facets: Iterable[int], records: bool) -> None:
        """Emit the present decisions on facets; `records`: in place of the last emitted ones."""
        beliefs = self.believe(prior)
        contexts = contexts_of(beliefs, beliefs.topics())
        for facet in facets:
            self._emit(outbox, beliefs, facet, decide(beliefs, facet), contexts, records)

    def _emit(
        self,
        outbox: Outbox,
        beliefs: Beliefs,
        facet: int,
        decision: Decision,
        contexts: Sequence[Context],
        records: bool,
    ) -> None:
        """Emit the decision on a facet, of which `decide` has left the means."""
        row, emitted = self.row, self.emitted
        at_ms = row.newest_ms[row.at]
        slot, tier = row.emitted_slots[row.at, facet], row.emitted_tiers[row.at, facet]
        before = _NONE if tier == 0 and facet in self.careful else slot
        if records:
            emitted.record(facet, decision, at_ms)
        found: list[InContext] = []
        for context in contexts:
            there = decide_in(beliefs, facet, decision, context)
            if there is None:
                continue
            found.append(InContext(context.key, there))
            if records and context.row != _NO_ROW:
                emitted.record_in(facet, context.row, self.ranks[there.slot])
        finding = find(beliefs, facet, decision, at_ms, row.seq[row.at], found)
        outbox.findings[facet] = finding
        outbox.at_ms = at_ms
        if records and (slot != decision.slot or tier != decision.tier):
            served, source = self.served(facet), _POPULATION
            if finding.is_learned or not finding.population:
                source = _LEARNED
            if served != before and not self.pins.is_set(facet, self.catalogue):
                self.history.change(facet, before, served, source)

    def served(self, facet: int) -> int:
        """Return the emitted slot that readers serve; `NONE` for none, and for a careful facet without a tier."""
        row = self.row
        is_withheld = row.emitted_tiers[row.at, facet] == 0 and facet in self.careful
        return _NONE if is_withheld else row.emitted_slots[row.at, facet]

    def emit_profile(self, outbox: Outbox) -> bool:
        """Emit the profile, once in each pane; return whether this was the time."""
        row = self.row
        pane = row.newest_ms[row.at] // _PANE_MS & _PANE_BITS
        if pane == row.profile_pane[row.at]:
            return False
        row.profile_pane[row.at] = pane
        self.emit_present_profile(outbox)
        return True

    def emit_present_profile(self, outbox: Outbox) -> None:
        """Emit the profile as it is."""
        row = self.row
        outbox.profile = row.read(), row.newest_ms[row.at], row.seq[row.at]
        outbox.at_ms = row.newest_ms[row.at]

    def take(self, outbox: Outbox, explores: bool) -> tuple[tuple[str, bytes], ...]:
        """Return the waiting signals as (field, JSON), and empty the outbox; without exploration unless `explores`."""
        catalogue, fields = self.catalogue, []
        for facet, finding in outbox.findings.items():
            fields.append((catalogue.facet_names[facet], self.text.json(finding, explores)))
        if outbox.profile is not None:
            data, at_ms, seq = outbox.profile
            self.profiled.write(data)
            profile = Windows(self.profiled).profile(version(at_ms, seq), at_ms, catalogue.public_topics)
            fields.append((PROFILE, encode(profile)))
        outbox.findings, outbox.profile = {}, None
        return tuple(fields)
