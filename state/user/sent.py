"""What was last said of each facet, so that only news is said."""

from array import array
from collections.abc import Collection

from state.learning.decisions import MOVED, Decision

_NEVER = -1
_LONG_AGO_MS = 1


class Sent:
    """The last learned signal of each facet: value, tier, confidence and its event time."""

    __slots__ = ("at_ms", "confidence", "oldest_ms", "slot", "tier")

    def __init__(self, facets: int) -> None:
        self.slot = array("h", [_NEVER] * facets)
        self.tier = array("B", bytes(facets))
        self.confidence = array("f", bytes(4 * facets))
        self.at_ms = array("q", bytes(8 * facets))
        self.oldest_ms = 0
        """No signal was sent before this; 0: none was sent."""

    def grow(self, facets: int) -> None:
        """Make room for facets of which nothing was said so far."""
        new = Sent(facets - len(self.slot))
        self.slot += new.slot
        self.tier += new.tier
        self.confidence += new.confidence
        self.at_ms += new.at_ms

    def outdate(self, slots: Collection[int]) -> None:
        """Make what was said of these slots due at once."""
        for facet, slot in enumerate(self.slot):
            if slot in slots:
                self.at_ms[facet] = _LONG_AGO_MS

    def is_news(self, facet: int, decision: Decision) -> bool:
        """Say whether value or tier differ from what was sent, or confidence has moved enough."""
        return (
            self.slot[facet] != decision.slot
            or self.tier[facet] != decision.tier
            or abs(self.confidence[facet] - decision.confidence) >= MOVED
        )

    def record(self, facet: int, decision: Decision, at_ms: int) -> None:
        """Remember that this was sent."""
        self.slot[facet] = decision.slot
        self.tier[facet] = decision.tier
        self.confidence[facet] = decision.confidence
        self.at_ms[facet] = at_ms
        self.oldest_ms = min(self.oldest_ms, at_ms) if self.oldest_ms else at_ms

    def retract(self, facet: int) -> None:
        """Forget what was sent of a facet: the next decision is news."""
        self.slot[facet] = _NEVER
        self.at_ms[facet] = 0

    def due(self, before_ms: int) -> list[int]:
        """Return the facets whose signal was sent before that time and should be said again."""
        if not self.oldest_ms or self.oldest_ms >= before_ms:
            return []
        self.oldest_ms = min((at_ms for at_ms in self.at_ms if at_ms >= before_ms), default=0)
        return [facet for facet, at_ms in enumerate(self.at_ms) if 0 < at_ms < before_ms]
