"""Outbox of a user: the last emitted decision of each facet, and the signals that wait to be written.

Each event decides whether its signals are emitted, so the result depends on the user's events alone, not on batches.
Only the last signal of each facet in a batch is written, so signals are made when writes are taken.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import Beliefs, Decision, Finding, decide, decide_each, find
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.side_sums import PER_WEIGHT
from state.learning.signals import learned_signal
from state.user.beliefs import believe
from state.user.windows import PANE_MS, Windows
from tacit.contract.signals import PROFILE, encode
from tacit.contract.versions import version

MOVED = 0.05
"""A signal is emitted again after a move of the confidence by 0.05."""
EVIDENCE_MOVED = 0.1
"""Share by which the evidence for or against the value changes until the signal is emitted again."""
LEAST_MOVE = 0.5
"""Smallest such change, as a weight."""

_LEAST_UNITS = round(LEAST_MOVE * PER_WEIGHT)
_NEVER = -1
_LONG_AGO_MS = 1


class Emitted:
    """The last emitted decision of each facet: value, tier, confidence, evidence and event time."""

    __slots__ = ("at_ms", "confidence", "evidence", "oldest_ms", "slot", "tier")

    def __init__(self, facets: int) -> None:
        self.slot = array("h", [_NEVER] * facets)
        self.tier = array("B", bytes(facets))
        self.confidence = array("f", bytes(4 * facets))
        self.evidence = array("H", bytes(4 * facets))
        """Evidence for and against the value, facet by facet, in units of state.learning.side_sums."""
        self.at_ms = array("q", bytes(8 * facets))
        self.oldest_ms = 0
        """Lower bound of the times in `at_ms`; 0 without an emitted decision."""

    def grow(self, facets: int) -> None:
        """Make room for as many facets in all."""
        new = Emitted(facets - len(self.slot))
        self.slot += new.slot
        self.tier += new.tier
        self.confidence += new.confidence
        self.evidence += new.evidence
        self.at_ms += new.at_ms

    def expire(self, slots: Collection[int]) -> None:
        """Make decisions for the given slots due at once."""
        for facet, slot in enumerate(self.slot):
            if slot in slots:
                self.at_ms[facet] = _LONG_AGO_MS

    def differs(self, facet: int, decision: Decision, totals: Sequence[int]) -> bool:
        """Return whether value or tier differ from the last emitted decision, or numbers have moved enough.

        `totals` is the user's evidence (`FeedbackLog.totals`).
        """
        slot, evidence = decision.slot, self.evidence
        return (
            self.slot[facet] != slot
            or self.tier[facet] != decision.tier
            or abs(self.confidence[facet] - decision.confidence) >= MOVED
            or _has_moved(evidence[2 * facet], totals[2 * slot])
            or _has_moved(evidence[2 * facet + 1], totals[2 * slot + 1])
        )

    def record(self, facet: int, decision: Decision, totals: Sequence[int], at_ms: int) -> None:
        """Record an emitted decision."""
        self.slot[facet] = slot = decision.slot
        self.evidence[2 * facet], self.evidence[2 * facet + 1] = totals[2 * slot], totals[2 * slot + 1]
        self.tier[facet] = decision.tier
        self.confidence[facet] = decision.confidence
        self.at_ms[facet] = at_ms
        self.oldest_ms = min(self.oldest_ms, at_ms) if self.oldest_ms else at_ms

    def retract(self, facet: int) -> None:
        """Drop the record of a facet: the next decision differs."""
        self.slot[facet] = _NEVER
        self.at_ms[facet] = 0

    def due(self, before_ms: int) -> list[int]:
        """Return the facets with a decision that was emitted before that time."""
        if not self.oldest_ms or self.oldest_ms >= before_ms:
            return []
        self.oldest_ms = min((at_ms for at_ms in self.at_ms if at_ms >= before_ms), default=0)
        return [facet for facet, at_ms in enumerate(self.at_ms) if 0 < at_ms < before_ms]

    def served(self, careful: Collection[int]) -> bytes:
        """Return the slots that readers serve by the emitted decisions, by facet, 16 bits each; −1 for none.

        A `careful` facet is served from the tier `hint` on.
        """
        slots = self.slot
        for facet in careful:
            if not self.tier[facet]:
                slots = slots[:]
                slots[facet] = _NEVER
        return slots.tobytes()


def _has_moved(emitted: int, present: int) -> bool:
    move = abs(present - emitted)
    return move >= _LEAST_UNITS and move >= EVIDENCE_MOVED * emitted


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
        learned: Sequence[int],
        own: OwnBeliefs | None,
        windows: Windows,
        prior: Prior,
        at_ms: int,
        seq: int,
        due_before_ms: int,
    ) -> None:
        """Emit the results of an interaction: learned facets, the profile, and decisions older than `due_before_ms`."""
        emitted = self.emitted
        if learned and own is not None and emitted is not None:
            self._emit_learned(emitted, learned, believe(own, prior, windows), at_ms, seq)
        self.emit_profile(windows, at_ms, seq)
        if own is not None and emitted is not None and 0 < emitted.oldest_ms < due_before_ms:
            self._emit_due(emitted, believe(own, prior, windows), due_before_ms, at_ms, seq)

    def _emit_learned(self, emitted: Emitted, facets: Sequence[int], beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the decisions that differ from the emitted ones."""
        totals = beliefs.own.log.totals
        for facet, decision in zip(facets, decide_each(beliefs, facets), strict=True):
            if emitted.differs(facet, decision, totals):
                self._record(emitted, facet, beliefs, decision, at_ms, seq)

    def _emit_due(self, emitted: Emitted, beliefs: Beliefs, before_ms: int, at_ms: int, seq: int) -> None:
        slots = beliefs.own.catalogue.facet_slots
        facets = [facet for facet in emitted.due(before_ms) if slots[facet]]
        for facet, decision in zip(facets, decide_each(beliefs, facets), strict=True):
            self._record(emitted, facet, beliefs, decision, at_ms, seq)

    def _record(self, emitted: Emitted, facet: int, beliefs: Beliefs, decision: Decision, at_ms: int, seq: int) -> None:
        emitted.record(facet, decision, beliefs.own.log.totals, at_ms)
        self.waiting[facet] = find(beliefs, facet, decision, at_ms, seq)
        self.at_ms = at_ms

    def emit_belief(self, facet: int, beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the present decision on a facet."""
        decision = decide(beliefs, facet)
        if self.emitted is not None:
            self.emitted.record(facet, decision, beliefs.own.log.totals, at_ms)
        self.waiting[facet] = find(beliefs, facet, decision, at_ms, seq)
        self.at_ms = at_ms

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
