"""The value of a facet that is believed best for a user in one context, before exploration."""

from typing import NamedTuple

from tacit.contract.catalogue import Facet
from tacit.contract.policy import explore_share, may_explore
from tacit.contract.signals import ContextValue, Signal
from tacit.reader.choice import Strength


class Preferred(NamedTuple):
    """Value of a facet that is believed best."""

    value: str
    runner_up: str | None
    explore: float
    """Share of conversations that try another value, if consent and deployment permit to try one."""
    version: str | None
    strength: Strength


def contexts_of(topic: str | None, surface: str | None) -> tuple[str, ...]:
    """Return the contexts of an answer as signals have them: the topic before the surface.

    >>> contexts_of("email", "chat"), contexts_of(None, None)
    (('topic:email', 'surface:chat'), ())
    """
    found: tuple[str, ...] = ()
    if topic is not None:
        found = (f"topic:{topic}",)
    return found if surface is None else (*found, f"surface:{surface}")


def preferred(facet: Facet, signal: Signal, contexts: tuple[str, ...]) -> Preferred | None:
    """Return the best value by the user's own signal; None: leave the facet out.

    Of a careful facet, the tier decides between value and default. Of all others, the value counts with any tier: a
    default that is served instead of an unsure value teaches nothing.
    """
    if signal.source == "user":
        return Preferred(signal.value, None, 0.0, signal.v, "pin")
    best = in_context(signal, contexts) if signal.contexts else signal
    if facet.careful and best.tier == "default":
        return None if signal.default is None else Preferred(signal.default, None, 0.0, signal.v, "default")
    strength: Strength = "default" if signal.source == "population" else best.tier
    return Preferred(best.value, best.runner_up, _explore(facet, signal, best), signal.v, strength)


def preferred_by_population(facet: Facet, signal: Signal, contexts: tuple[str, ...]) -> Preferred | None:
    """Return the best value for a user without an own signal; None: leave the facet out.

    The default is served, which replaces the catalogue's only where the population model found a better one. The
    population's best value is the first to be tried.
    """
    best = in_context(signal, contexts)
    if best is not signal and not (facet.careful and best.tier != "apply"):
        return Preferred(best.value, best.runner_up, _explore(facet, signal, best), None, "default")
    value = signal.default
    if value is None:
        if signal.tier == "default":
            return None
        value = signal.value
    runner_up = signal.runner_up if value == signal.value else signal.value
    return Preferred(value, runner_up, _explore(facet, signal, signal), None, "default")


def in_context(signal: Signal, contexts: tuple[str, ...]) -> Signal | ContextValue:
    """Return the entry of the first context that the signal distinguishes, or the signal."""
    for context in contexts:
        for entry in signal.contexts:
            if entry.context == context:
                return entry
    return signal


def _explore(facet: Facet, signal: Signal, best: Signal | ContextValue) -> float:
    explore = signal.explore if best is signal else explore_share(best.confidence or 0.0)
    return explore if explore and may_explore(facet, best.tier) else 0.0
