"""Signals as text: a finding → the JSON that workers write and assistants read (`tacit.contract.signals.Signal`).

All texts of a catalogue are quoted once, and most rounded numbers are looked up, so a signal is a join of known pieces.
"""

import math
from array import array

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import TIERS, Decision, Finding
from state.learning.feedback_log import kinds_by_side
from state.learning.user_model import MODEL_VERSION
from state.row.layout import MAX_PIECES
from tacit.contract.policy import explore_share, may_explore
from tacit.contract.signals import encode
from tacit.contract.versions import version

MAX_REASONS = 3
"""Feedback kinds that a signal names for its value, and against it."""

_UNKNOWN = -1.0
"""Weight of a feedback kind that left the catalogue, or of a number without one."""
_KINDS = 128
"""Numbers of feedback kinds in a piece (state.learning.feedback_log)."""
_CLEAR = 0.499_999
"""Distance to the nearest multiple below which a product with a rounding error shows how a number is rounded."""


class RoundedText:
    """Texts of `round(number, digits)`; those of the first `steps` multiples are looked up.

    >>> RoundedText(digits=3, steps=1_000).of(0.12345), RoundedText(digits=1, steps=1_000).of(-3.25)
    ('0.123', '-3.2')
    """

    def __init__(self, digits: int, steps: int) -> None:
        self.digits = digits
        self.scale = 10.0**digits
        self.top = steps
        self.texts = [repr(step / self.scale) for step in range(steps + 1)]

    def of(self, number: float) -> str:
        """Return the text of a number; of a tie, and of a number outside the table, by `round`."""
        scaled = number * self.scale
        if 0.0 < scaled < self.top:
            nearest = math.floor(scaled + 0.5)
            if abs(scaled - nearest) < _CLEAR:
                return self.texts[int(nearest)]
        return repr(round(number, self.digits))


_TENTHS, _THOUSANDTHS, _EXPLORED = RoundedText(1, 1_000), RoundedText(3, 1_000), RoundedText(4, 2_000)


class SignalText:
    """The texts of a catalogue, and the signals made of them."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        slots, facets, _ = catalogue.sizes
        kinds, names = catalogue.feedback_kinds, catalogue.feedback_names
        self.made_by = f"m{MODEL_VERSION}.c{catalogue.version}.p"
        self.sizes = slots, facets
        self.facet_of = catalogue.slot_facets
        self.values = [_quoted(slot.value) for slot in catalogue.slots]
        self.tiers = [_quoted(tier) for tier in TIERS]
        self.contexts = {key: _quoted(name) for key, name in catalogue.context_names.items()}
        self.explores = [_explores(catalogue, name) for name in catalogue.facet_names]
        """Facet → tier → whether other values may be tried."""
        self.counted = [[f"[{_quoted(name)},{count}]" for count in range(MAX_PIECES + 1)] for name in names]
        """Feedback kind → count → both as text."""
        self.weights = array("d", [kinds[kind].weight if kind in kinds else _UNKNOWN for kind in range(_KINDS)])
        ranked = sorted(names)
        self.ranks = array("q", [ranked.index(name) for name in names])
        """Feedback kind → place of its name in alphabetical order."""

    def json(self, finding: Finding, explores: bool) -> bytes:
        """Return the signal of a finding; without exploration unless `explores`."""
        decision, at_ms, gap = finding.decision, finding.at_ms, finding.liked - finding.runner_up_liked
        slot, tier = decision.slot, decision.tier
        supporting, opposing = kinds_by_side(finding.pieces, slot, self.sizes, self.facet_of)
        is_tried = explores and self.explores[self.facet_of[slot]][tier]
        explore = _EXPLORED.of(explore_share(decision.confidence)) if is_tried else "0.0"
        contexts = ",".join([self._in_context(key, there) for key, there in finding.contexts])
        is_own = finding.is_learned or not finding.population
        return (
            f'{{"v":"{version(at_ms, finding.seq)}","value":{self.values[slot]},"p":{_THOUSANDTHS.of(finding.liked)},'
            f'"confidence":{_THOUSANDTHS.of(decision.confidence)},"tier":{self.tiers[tier]},'
            f'"source":"{"learned" if is_own else "population"}","evidence":{_TENTHS.of(finding.evidence)},'
            f'"runner_up":{self.values[decision.runner_up]},"gap":{_THOUSANDTHS.of(gap)},'
            f'"default":{"null" if finding.default is None else self.values[finding.default]},"explore":{explore},'
            f'"why":{self._reasons(supporting)},"by":"{self.made_by}{finding.population}","at":{at_ms},'
            f'"against":{_TENTHS.of(finding.against)},"why_not":{self._reasons(opposing)},'
            f'"contexts":[{contexts}],"drift_at":null}}'
        ).encode()

    def _in_context(self, key: int, there: Decision) -> str:
        return (
            f"[{self.contexts[key]},{self.values[there.slot]},{_THOUSANDTHS.of(there.confidence)},"
            f"{self.tiers[there.tier]},{self.values[there.runner_up]}]"
        )

    def _reasons(self, counts: dict[int, int]) -> str:
        """Return the feedback kinds of most weight with their counts, the heaviest first; of equal ones by name."""
        if not counts:
            return "[]"
        found = [
            (-count * self.weights[kind], self.ranks[kind], self.counted[kind][count])
            for kind, count in counts.items()
            if self.weights[kind] != _UNKNOWN
        ]
        found.sort()
        return f"[{','.join([text for _, _, text in found[:MAX_REASONS]])}]"


def _quoted(text: str) -> str:
    return encode(text).decode()


def _explores(catalogue: NumberedCatalogue, name: str) -> list[bool]:
    facet = catalogue.facets.get(name)
    return [facet is not None and catalogue.explore and may_explore(facet, tier) for tier in TIERS]
