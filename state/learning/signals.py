"""Signals made of findings and population versions."""

from collections.abc import Iterator, Mapping, Sequence

from state.catalogue.numbered import NumberedCatalogue
from state.learning.context_decisions import POPULATION_FROM, contexts_of, decide_in
from state.learning.decisions import TIERS, Beliefs, Finding, InContext, decided, find, means
from state.learning.feedback_log import kinds_by_side
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, encode_version
from state.learning.preferences import MODEL_VERSION, Preferences
from tacit.contract.policy import explore_share, may_explore
from tacit.contract.signals import ContextValue, Signal, Source, encode
from tacit.contract.versions import version

MAX_REASONS = 3

Reasons = tuple[tuple[str, int], ...]
"""Feedback kinds with counts."""


def learned_signal(catalogue: NumberedCatalogue, finding: Finding) -> Signal:
    """Return the signal of a learned facet."""
    decision = finding.decision
    facet = catalogue.facets[catalogue.facet_names[catalogue.slot_facets[decision.slot]]]
    tier = TIERS[decision.tier]
    why, why_not = reasons(catalogue, decision.slot, finding.pieces)
    explores = catalogue.explore and may_explore(facet, tier)
    source: Source = "learned" if finding.is_learned or not finding.population else "population"
    return Signal(
        v=version(finding.at_ms, finding.seq),
        value=catalogue.slots[decision.slot].value,
        p=round(finding.liked, 3),
        confidence=round(decision.confidence, 3),
        tier=tier,
        source=source,
        evidence=round(finding.evidence, 1),
        runner_up=catalogue.slots[decision.runner_up].value,
        gap=round(finding.liked - finding.runner_up_liked, 3),
        default=_value(catalogue, finding.default),
        explore=round(explore_share(decision.confidence), 4) if explores else 0.0,
        why=why,
        by=versions(catalogue, finding.population),
        at=finding.at_ms,
        against=round(finding.against, 1),
        why_not=why_not,
        contexts=tuple(_in_contexts(catalogue, finding.contexts)),
    )


def _in_contexts(catalogue: NumberedCatalogue, found: Sequence[InContext]) -> Iterator[ContextValue]:
    slots, names = catalogue.slots, catalogue.context_names
    for key, decision in found:
        yield ContextValue(
            names[key],
            slots[decision.slot].value,
            round(decision.confidence, 3),
            TIERS[decision.tier],
            slots[decision.runner_up].value,
        )


def population_signals(prior: Prior, at_ms: int) -> list[tuple[str, Signal]]:
    """Return (facet, signal) of each facet of the catalogue for a user without a user model."""
    catalogue = prior.catalogue
    beliefs = Beliefs(Preferences(catalogue), prior, topics=tuple(catalogue.topic_keys))
    found, everywhere = [], contexts_of(beliefs)
    for name, facet in catalogue.facet_index.items():
        base = means(beliefs, facet)
        decision = decided(beliefs, facet, base)
        contexts = decide_in(beliefs, facet, decision, base, everywhere, POPULATION_FROM)
        finding = find(beliefs, facet, decision, at_ms, prior.number, contexts)
        found.append((name, learned_signal(catalogue, finding)))
    return found


def population_write(prior: Prior, published: PopulationVersion) -> PopulationWrite:
    """Return a published version for Redis; `prior` is made from the version."""
    defaults = [(name, encode(signal)) for name, signal in population_signals(prior, published.at)]
    return PopulationWrite(published.n, published.at, published.examples, encode_version(published), tuple(defaults))


def _value(catalogue: NumberedCatalogue, slot: int | None) -> str | None:
    return None if slot is None else catalogue.slots[slot].value


def reasons(catalogue: NumberedCatalogue, slot: int, pieces: bytes) -> tuple[Reasons, Reasons]:
    """Return the feedback kinds for and against a value of some pieces (`Finding.pieces`) with their counts.

    The kinds of most weight come first. Kinds that left the catalogue are skipped.
    """
    slots, facets, _ = catalogue.sizes
    supporting, opposing = kinds_by_side(pieces, slot, (slots, facets), catalogue.slot_facets)
    return _heaviest(catalogue, supporting), _heaviest(catalogue, opposing)


def _heaviest(catalogue: NumberedCatalogue, counts: Mapping[int, int]) -> Reasons:
    kinds, names = catalogue.feedback_kinds, catalogue.feedback_names
    known = [(kind, count) for kind, count in counts.items() if kind in kinds]
    if known[1:]:
        known.sort(key=lambda pair: (-pair[1] * kinds[pair[0]].weight, names[pair[0]]))
    return tuple([(names[kind], count) for kind, count in known[:MAX_REASONS]])


def versions(catalogue: NumberedCatalogue, population: int) -> str:
    """Return the versions behind a decision, in the form of signals: model, catalogue and population (0: without)."""
    return f"m{MODEL_VERSION}.c{catalogue.version}.p{population}"
