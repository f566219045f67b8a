"""Emission: the last emitted decision of each facet, and the signals that wait to be written."""

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import starmap

from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.signals import PROFILE, Profile, Signal, encode
from tacit.contract.versions import version
from tests.reference.activity import PANE_MS, Windows
from tests.reference.contexts import ROWS
from tests.reference.decisions import Beliefs, Context, Decision
from tests.reference.rounding import f32
from tests.reference.signals import signal_of

MOVED = 0.05
EVIDENCE_MOVED = 0.1
LEAST_MOVE = 150
"""Units of a sum."""
NEVER = -1
DUE_AT_ONCE_MS = 1


@dataclass
class Emitted:
    """The last emitted decision of a facet."""

    slot: int = NEVER
    tier: int = 0
    confidence: float = 0.0
    evidence: Sequence[int] = (0, 0)
    at_ms: int = 0
    ranks: list[int] = field(default_factory=lambda: [0] * ROWS)
    """Value by row of own effects, as rank; 0: the general value."""

    def differs(self, decision: Decision, evidence: Sequence[int]) -> bool:
        """Return whether a signal of a decision is new enough to be emitted."""
        return (
            self.slot != decision.slot
            or self.tier != decision.tier
            or abs(self.confidence - decision.confidence) >= MOVED
            or any(starmap(_has_moved, zip(self.evidence, evidence, strict=True)))
        )


def _has_moved(emitted: int, present: int) -> bool:
    move = abs(present - emitted)
    return move >= LEAST_MOVE and move >= EVIDENCE_MOVED * emitted


def _served(emitted: Emitted, facet: int, catalogue: NumberedCatalogue) -> int:
    return emitted.slot if emitted.tier or facet not in catalogue.careful_facets else NEVER


class Outbox:
    """The outbox of a user; `at_ms` and `seq` make versions."""

    def __init__(self, facets: int = 0) -> None:
        self.emitted = [Emitted() for _ in range(facets)]
        """By facet; empty until the user has preferences."""
        self.profile_pane = 0
        self.signals: dict[int, Signal] = {}
        """Facet → the last signal to write."""
        self.profile: Profile | None = None
        self.at_ms = 0
        self.explores: bool | None = None
        """As it was before an absence."""
        self.moves: list[tuple[int, Emitted, Emitted, str]] = []
        """Facet, emitted decision before and after, and source."""

    def __bool__(self) -> bool:
        return bool(self.signals or self.profile)

    def adopt(self, catalogue: NumberedCatalogue, ended: Collection[int], starts_again: bool) -> None:
        """Change to a later catalogue; `ended` rows have lost their context, and `starts_again` empties all rows."""
        if self.emitted:
            self.emitted += [Emitted() for _ in range(len(catalogue.facet_names) - len(self.emitted))]
        for emitted in self.emitted:
            if starts_again:
                emitted.ranks = [0] * ROWS
            if any(emitted.ranks[row] for row in ended) or emitted.slot in catalogue.idle_slots:
                emitted.at_ms = DUE_AT_ONCE_MS
        self.free(ended)

    def free(self, rows: Collection[int]) -> None:
        """Drop the values of rows that get another context."""
        for emitted in self.emitted:
            for row in rows:
                emitted.ranks[row] = 0

    def emit_learned(self, facets: Iterable[int], rows: Sequence[int], beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the decisions that differ from the emitted ones, in general or in the answer's contexts."""
        present = beliefs.contexts(rows)
        for facet in facets:
            decision, emitted = beliefs.decide(facet, beliefs.means(facet)), self.emitted[facet]
            ranks = [0] * ROWS
            for context, there in beliefs.decide_in(facet, decision, present):
                if context.row is not None:
                    ranks[context.row] = beliefs.catalogue.slot_ranks[there.slot]
            evidence = beliefs.own.log.totals[decision.slot]
            if emitted.differs(decision, evidence) or any(emitted.ranks[row] != ranks[row] for row in rows):
                self.emit(facet, beliefs, at_ms, seq)

    def emit_due(self, before_ms: int, beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the decisions that were emitted before a time."""
        due = [facet for facet, emitted in enumerate(self.emitted) if 0 < emitted.at_ms < before_ms]
        for facet in due:
            if beliefs.catalogue.facet_slots[facet]:
                self.emit(facet, beliefs, at_ms, seq)

    def emit(self, facet: int, beliefs: Beliefs, at_ms: int, seq: int) -> None:
        """Emit the present decision on a facet."""
        decision = beliefs.decide(facet, beliefs.means(facet))
        found: list[tuple[Context, Decision]] = beliefs.decide_in(facet, decision, beliefs.contexts())
        if self.emitted:
            ranks = [0] * ROWS
            for context, there in found:
                if context.row is not None:
                    ranks[context.row] = beliefs.catalogue.slot_ranks[there.slot]
            evidence = tuple(beliefs.own.log.totals[decision.slot])
            before = self.emitted[facet]
            self.emitted[facet] = Emitted(
                decision.slot, decision.tier, f32(decision.confidence), evidence, at_ms, ranks
            )
        self.signals[facet] = signal_of(beliefs, decision, found, at_ms, seq)
        if self.emitted:
            self.moves.append((facet, before, self.emitted[facet], self.signals[facet].source))
        self.at_ms = at_ms

    def take_changes(self, catalogue: NumberedCatalogue) -> list[tuple[int, int, int, str]]:
        """Return facet, served value before and after, and source of each emission since the last call."""
        moves, self.moves = self.moves, []
        return [
            (facet, before, after, source)
            for facet, old, new, source in moves
            if (before := _served(old, facet, catalogue)) != (after := _served(new, facet, catalogue))
        ]

    def served_in_general(self, facet: int, catalogue: NumberedCatalogue) -> int:
        """Return the emitted value that readers serve; `NONE` for the default."""
        return _served(self.emitted[facet], facet, catalogue) if self.emitted else NEVER

    def emit_profile(self, windows: Windows, catalogue: NumberedCatalogue, at_ms: int, seq: int) -> None:
        """Emit the profile, once in each pane."""
        if at_ms // PANE_MS != self.profile_pane:
            self.profile_pane = at_ms // PANE_MS
            self.profile = windows.profile(version(at_ms, seq), at_ms, catalogue.public_topics)
            self.at_ms = at_ms

    def forget(self, facets: Iterable[int]) -> None:
        """Drop the waiting signals of some facets, and the record of their emitted decisions."""
        for facet in facets:
            self.signals.pop(facet, None)
            if self.emitted:
                self.emitted[facet] = Emitted()

    def take(self, catalogue: NumberedCatalogue, explores: bool) -> tuple[tuple[str, bytes], ...]:
        """Return the waiting signals as (field, JSON), and empty the outbox; without exploration unless `explores`."""
        fields = [
            (catalogue.facet_names[facet], encode(signal if explores else replace(signal, explore=0.0)))
            for facet, signal in self.signals.items()
        ]
        if self.profile is not None:
            fields.append((PROFILE, encode(self.profile)))
        self.signals, self.profile = {}, None
        return tuple(fields)

    def served(self, catalogue: NumberedCatalogue, rows: Sequence[int]) -> bytes:
        """Return the values that readers serve by facet, 16 bits each; −1 for none; the first row with a value counts.

        A value in a context that left the catalogue is skipped.
        """
        slots = array("h")
        for facet, emitted in enumerate(self.emitted):
            is_kept = emitted.tier or facet not in catalogue.careful_facets
            ranked = [catalogue.ranked_slots[facet][emitted.ranks[row] - 1] for row in rows if emitted.ranks[row]]
            there = [slot for slot in ranked if slot is not None]
            slots.append([*there, emitted.slot][0] if is_kept else NEVER)
        return slots.tobytes()
