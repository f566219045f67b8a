"""Signals as text: a finding → the JSON that workers write and assistants read (`tacit.contract.signals.Signal`).

All texts of a catalogue are quoted once, so a signal is a few numbers between known pieces.
"""

from array import array

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import TIERS, Decision, Finding
from state.learning.feedback_log import kinds_by_side
from state.learning.user_model import MODEL_VERSION
from tacit.contract.policy import explore_share, may_explore
from tacit.contract.signals import encode

MAX_REASONS = 3
"""Feedback kinds that a signal names for its value, and against it."""

_UNKNOWN = -1.0
"""Weight of a feedback kind that left the catalogue, or of a number without one."""
_KINDS = 128
"""Numbers of feedback kinds in a piece (state.learning.feedback_log)."""


class SignalText:
    """The texts of a catalogue, and the signals made of them."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        slots, facets, _ = catalogue.sizes
        kinds, names = catalogue.feedback_kinds, catalogue.feedback_names
        self.version = catalogue.version
        self.sizes = slots, facets
        self.facet_of = catalogue.slot_facets
        self.values = [_quoted(slot.value) for slot in catalogue.slots]
        self.tiers = [_quoted(tier) for tier in TIERS]
        self.contexts = {key: _quoted(name) for key, name in catalogue.context_names.items()}
        self.explores = [_explores(catalogue, name) for name in catalogue.facet_names]
        """Facet → tier → whether other values may be tried."""
        self.kinds = [_quoted(name) for name in names]
        self.weights = array("d", [kinds[kind].weight if kind in kinds else _UNKNOWN for kind in range(_KINDS)])
        ranked = sorted(names)
        self.ranks = array("q", [ranked.index(name) for name in names])
        """Feedback kind → place of its name in alphabetical order."""

    def json(self, finding: Finding, explores: bool) -> bytes:
        """Return the signal of a finding; without exploration unless `explores`."""
        (decision, liked, runner_up_liked, default, evidence, against, is_learned, pieces, population, at_ms, seq,
         contexts) = finding  # fmt: skip
        slot, tier = decision.slot, decision.tier
        supporting, opposing = kinds_by_side(pieces, slot, self.sizes, self.facet_of)
        is_tried = explores and self.explores[self.facet_of[slot]][tier]
        explore = round(explore_share(decision.confidence), 4) if is_tried else 0.0
        return (
            f'{{"v":"{at_ms:013d}-{seq:010d}","value":{self.values[slot]},"p":{round(liked, 3)},'
            f'"confidence":{round(decision.confidence, 3)},"tier":{self.tiers[tier]},'
            f'"source":"{"learned" if is_learned or not population else "population"}","evidence":{round(evidence, 1)},'
            f'"runner_up":{self.values[decision.runner_up]},"gap":{round(liked - runner_up_liked, 3)},'
            f'"default":{"null" if default is None else self.values[default]},"explore":{explore},'
            f'"why":{self._reasons(supporting)},"by":"m{MODEL_VERSION}.c{self.version}.p{population}","at":{at_ms},'
            f'"against":{round(against, 1)},"why_not":{self._reasons(opposing)},'
            f'"contexts":[{",".join([self._in_context(key, there) for key, there in contexts])}],"drift_at":null}}'
        ).encode()

    def _in_context(self, key: int, there: Decision) -> str:
        return (
            f"[{self.contexts[key]},{self.values[there.slot]},{round(there.confidence, 3)},"
            f"{self.tiers[there.tier]},{self.values[there.runner_up]}]"
        )

    def _reasons(self, counts: dict[int, int]) -> str:
        """Return the feedback kinds of most weight with their counts, the heaviest first; of equal ones by name."""
        found = [
            (-count * self.weights[kind], self.ranks[kind], f"[{self.kinds[kind]},{count}]")
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
