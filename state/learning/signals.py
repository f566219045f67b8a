"""Signals for users without a user model, from a population version."""

from state.catalogue.numbered import NumberedCatalogue
from state.learning.context_decisions import POPULATION_FROM, contexts_of, decide_all
from state.learning.decisions import Beliefs, Finding, decide, find
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, encode_version
from state.learning.signal_text import SignalText
from state.row.layout import layout_of, sizes_of
from state.row.row import Row
from tacit.contract.signals import Signal, decode_signal


def learned_signal(catalogue: NumberedCatalogue, finding: Finding) -> Signal:
    """Return a finding as the signal that readers get."""
    return decode_signal(SignalText(catalogue).json(finding, True))


def population_signals(prior: Prior, at_ms: int) -> list[tuple[str, bytes]]:
    """Return (facet, JSON of the signal) of each facet of the catalogue for a user without a user model."""
    catalogue, text = prior.catalogue, SignalText(prior.catalogue)
    own = OwnBeliefs(Row(layout_of(sizes_of(catalogue))), catalogue)
    own.begin()
    beliefs = Beliefs(own, prior)
    found, everywhere = [], contexts_of(beliefs, catalogue.topic_keys)
    for name, facet in catalogue.facet_index.items():
        decision = decide(beliefs, facet)
        contexts = decide_all(beliefs, facet, decision, everywhere, POPULATION_FROM)
        finding = find(beliefs, facet, decision, at_ms, prior.number, contexts)
        found.append((name, text.json(finding, True)))
    return found


def population_write(prior: Prior, published: PopulationVersion) -> PopulationWrite:
    """Return a published version for Redis; `prior` is made from the version."""
    defaults = population_signals(prior, published.at)
    return PopulationWrite(published.n, published.at, published.examples, encode_version(published), tuple(defaults))
