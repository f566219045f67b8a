"""Signals of decisions."""

from collections.abc import Mapping, Sequence

from state.catalogue.numbered import NumberedCatalogue
from state.learning.population_prior import Prior
from tacit.contract.policy import explore_share, may_explore
from tacit.contract.signals import ContextValue, Signal, Tier, encode
from tacit.contract.versions import version
from tests.reference.decisions import Beliefs, Context, Decision
from tests.reference.evidence import AGAINST, FOR, PER_WEIGHT
from tests.reference.training import Preferences

MODEL_VERSION = 3
MAX_REASONS = 3
POPULATION_FROM = 0.75
"""Confidence from which a user without own feedback gets another value in a context."""
TIERS: tuple[Tier, ...] = ("default", "hint", "apply")


def signal_of(
    beliefs: Beliefs, decision: Decision, contexts: Sequence[tuple[Context, Decision]], at_ms: int, seq: int
) -> Signal:
    """Return the signal of a decision, with exploration as the catalogue permits it."""
    catalogue, log, prior = beliefs.catalogue, beliefs.own.log, beliefs.prior
    slot, facet = decision.slot, catalogue.slot_facets[decision.slot]
    values = [value for _, value in catalogue.slots]
    liked, default, tier = beliefs.liking(slot), prior.default_slots[facet], TIERS[decision.tier]
    explores = catalogue.explore and may_explore(catalogue.facets[catalogue.facet_names[facet]], tier)
    supporting, opposing = log.totals[slot]
    is_learned = log.has_feedback(catalogue.facet_slots[facet])
    why, why_not = (_reasons(catalogue, log.kinds(slot, side, catalogue.slot_facets)) for side in (FOR, AGAINST))
    return Signal(
        v=version(at_ms, seq),
        value=values[slot],
        p=round(liked, 3),
        confidence=round(decision.confidence, 3),
        tier=tier,
        source="learned" if is_learned or not prior.number else "population",
        evidence=round(supporting / PER_WEIGHT, 1),
        runner_up=values[decision.runner_up],
        gap=round(liked - beliefs.liking(decision.runner_up), 3),
        default=None if default is None else values[default],
        explore=round(explore_share(decision.confidence), 4) if explores else 0.0,
        why=why,
        by=f"m{MODEL_VERSION}.c{catalogue.version}.p{prior.number}",
        at=at_ms,
        against=round(opposing / PER_WEIGHT, 1),
        why_not=why_not,
        contexts=tuple(
            ContextValue(
                catalogue.context_names[context.key],
                values[there.slot],
                round(there.confidence, 3),
                TIERS[there.tier],
                values[there.runner_up],
            )
            for context, there in contexts
        ),
    )


def _reasons(catalogue: NumberedCatalogue, counts: Mapping[int, int]) -> tuple[tuple[str, int], ...]:
    """Return the feedback kinds of most weight with their counts; kinds that left the catalogue are skipped."""
    kinds, names = catalogue.feedback_kinds, catalogue.feedback_names
    known = [(kind, count) for kind, count in counts.items() if kind in kinds]
    known.sort(key=lambda pair: (-pair[1] * kinds[pair[0]].weight, names[pair[0]]))
    return tuple((names[kind], count) for kind, count in known[:MAX_REASONS])


def default_signals(prior: Prior, at_ms: int) -> tuple[tuple[str, bytes], ...]:
    """Return (facet, JSON) of each facet for a user without a user model."""
    beliefs = Beliefs(Preferences(prior.catalogue), prior, None)
    beliefs.topics = tuple(prior.catalogue.topic_keys)
    found = []
    for name, facet in prior.catalogue.facet_index.items():
        decision = beliefs.decide(facet, beliefs.means(facet))
        contexts = beliefs.decide_in(facet, decision, beliefs.contexts(), POPULATION_FROM)
        found.append((name, encode(signal_of(beliefs, decision, contexts, at_ms, prior.number))))
    return tuple(found)
