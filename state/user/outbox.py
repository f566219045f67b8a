"""Outbox of a user: the last emitted decision of each facet, and the signals that wait to be written.

Each event decides whether its signals are emitted, so the result depends on the user's events alone, not on batches.
Only the last signal of each facet in a batch is written, so signals are made when writes are taken.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.learning.context_decisions import Context, contexts_at, contexts_of, decide_in
from state.learning.decisions import Beliefs, Decision, Finding, decided, find, means
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.signals import learned_signal
from state.user.beliefs import believe
from state.user.emitted import Emitted
from state.user.windows import PANE_MS, Windows
from tacit.contract.signals import PROFILE, encode
from tacit.contract.versions import version


class LearnedFacets(NamedTuple):
    """Facets that an interaction trained, and the rows of its contexts."""

    facets: Sequence[int] = ()
    rows: Sequence[int] = ()
    opened: Sequence[int] = ()
    """Rows that got a new context."""


class Outbox:
    """The outbox of a user; the methods' `at_ms` and `seq`, the user's clock and count, make versions."""

    __slots__ = ("at_ms", "emitted", "profile_pane", "waiting", "waiting_profile")

    def __init__(self) -> None:
        self.emitted: Emitted | None = None
        """None until the user has preferences: before, no decision is emitted."""
        self.profile_pane = 0
        """Number of the pane in which the last profile was emitted."""
        self.waiting: dict[int, Finding] = {}
        """Facet → the last signal to write."""
        self.waiting_profile: tuple[Windows, int, int] | None = None
        """Windows, `at_ms` and `seq` of the last profile to write."""
        self.at_ms = 0
        """Event time of the newest signal or profile that waits."""

    def __bool__(self) -> bool:
        return bool(self.waiting or self.waiting_profile)

    def emit(
        self,
        learned: LearnedFacets,
        own: OwnBeliefs | None,
        windows: Windows,
        prior: Prior,
        at_ms: int,
        seq: int,
        due_before_ms: int,
    ) -> None:
        """Emit the results of an interaction: learned facets, the profile, and decisions older than `due_before_ms`."""
        emitted = self.emitted
        if learned.facets and own is not None and emitted is not None:
            self._emit_learned(emitted, learned, believe(own, prior, windows), at_ms, seq)
        self.emit_profile(windows, at_ms, seq)
        if own is not None and emitted is not None and 0 < emitted.oldest_ms < due_before_ms:
            self._emit_due(emitted, believe(own, prior, windows), due_before_ms, at_ms, seq)

    def _emit_learned(self, emitted: Emitted, learned: LearnedFacets, beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the decisions that differ from the emitted ones, in general or in the answer's contexts."""
        if learned.opened:
            emitted.free(learned.opened)
        totals, ranks, contexts = beliefs.own.log.totals, beliefs.own.catalogue.slot_ranks, None
        present = contexts_at(beliefs, learned.rows)
        for facet in learned.facets:
            base = means(beliefs, facet)
            decision = decided(beliefs, facet, base)
            if not emitted.differs(facet, decision, totals):
                found = dict.fromkeys(learned.rows, 0)
                for key, there in decide_in(beliefs, facet, decision, base, present):
                    found[beliefs.own.contexts.keys.index(key)] = ranks[there.slot]
                if not emitted.differs_in(facet, found):
                    continue
            contexts = contexts or contexts_of(beliefs)
            self._record(facet, beliefs, decision, base, contexts, at_ms, seq)

    def _emit_due(self, emitted: Emitted, beliefs: Beliefs, before_ms: int, at_ms: int, seq: int) -> None:
        slots = beliefs.own.catalogue.facet_slots
        for facet in emitted.due(before_ms):
            if slots[facet]:
                self.emit_belief(facet, beliefs, at_ms, seq)

    def _record(
        self,
        facet: int,
        beliefs: Beliefs,
        decision: Decision,
        base: Sequence[float],
        contexts: Sequence[Context],
        at_ms: int,
        seq: int,
    ) -> None:
        found, own = decide_in(beliefs, facet, decision, base, contexts), beliefs.own
        if self.emitted is not None:
            slot_ranks, keys = own.catalogue.slot_ranks, own.contexts.keys
            ranks = {keys.index(key): slot_ranks[one.slot] for key, one in found if key in keys}
            self.emitted.record(facet, decision, own.log.totals, ranks, at_ms)
        self.waiting[facet] = find(beliefs, facet, decision, at_ms, seq, found)
        self.at_ms = at_ms

    def emit_belief(self, facet: int, beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the present decision on a facet."""
        base = means(beliefs, facet)
        self._record(facet, beliefs, decided(beliefs, facet, base), base, contexts_of(beliefs), at_ms, seq)

    def forget(self, facets: Iterable[int]) -> None:
        """Drop the waiting signals of some facets, and the record of their emitted decisions."""
        for facet in facets:
            self.waiting.pop(facet, None)
            if self.emitted is not None:
                self.emitted.retract(facet)

    def emit_profile(self, windows: Windows, at_ms: int, seq: int) -> None:
        """Emit the profile, once in each pane."""
        if at_ms // PANE_MS != self.profile_pane:
            self.profile_pane = at_ms // PANE_MS
            self.waiting_profile = (windows.copy(), at_ms, seq)
            self.at_ms = at_ms

    def take(self, catalogue: NumberedCatalogue, explores: bool) -> tuple[tuple[str, bytes], ...]:
        """Return the waiting signals as (field, JSON), and empty the outbox; without exploration unless `explores`."""
        fields = tuple(self._fields(catalogue, explores))
        self.waiting = {}
        self.waiting_profile = None
        return fields

    def _fields(self, catalogue: NumberedCatalogue, explores: bool) -> Iterator[tuple[str, bytes]]:
        for facet, finding in self.waiting.items():
            signal = learned_signal(catalogue, finding)
            yield catalogue.facet_names[facet], encode(signal if explores else replace(signal, explore=0.0))
        if self.waiting_profile is not None:
            windows, at_ms, seq = self.waiting_profile
            yield PROFILE, encode(windows.profile(version(at_ms, seq), at_ms, catalogue.public_topics))
