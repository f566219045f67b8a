"""Parts of a description: preferences in effect, facets of which too little is known, and the question worth asking."""

from collections.abc import Collection, Mapping

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import Consents
from tacit.contract.signals import Profile, Signal
from tacit.reader.choice import Choice
from tacit.reader.description import Description, Preference, Question, recency_of
from tacit.reader.preferred import in_context
from tacit.reader.worth import MIN_WORTH, worth_of_asking


def describe(
    catalogue: Catalogue,
    consent: Consents,
    profile: Profile | None,
    signals: Mapping[str, Signal],
    choice: Choice,
    contexts: tuple[str, ...],
    unasked: Collection[str],
) -> Description:
    """Return the description of a user whose consent holds.

    Args:
        catalogue: the deployment's catalogue.
        consent: the user's consent.
        profile: the user's profile.
        signals: facet → the user's signal, else the population's.
        choice: the choice of the conversation.
        contexts: topic and surface of the answer, as signals have them.
        unasked: facets that may be asked about.
    """
    recency = None if profile is None else recency_of(profile.activity)
    is_learned = choice.policy == "learned"
    return Description(
        consent,
        profile.topics if profile else (),
        recency,
        profile.session if profile and recency == "hour" else None,
        _preferences(signals, choice, contexts),
        _unsure(catalogue, signals, choice, contexts) if is_learned else (),
        _question(catalogue, signals, unasked) if is_learned else None,
    )


def _preferences(signals: Mapping[str, Signal], choice: Choice, contexts: tuple[str, ...]) -> tuple[Preference, ...]:
    found = []
    for facet, strength in choice.strengths.items():
        if strength in {"pin", "apply", "hint"}:
            signal = signals[facet]
            best = in_context(signal, contexts)
            gap = signal.gap if best is signal else None
            found.append(Preference(facet, choice.values[facet], strength, best.runner_up, gap))
    return tuple(found)


def _unsure(
    catalogue: Catalogue, signals: Mapping[str, Signal], choice: Choice, contexts: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the facets without a tier above `default`, those with the most to gain first."""
    found = []
    for facet in catalogue.facets:
        signal = signals.get(facet)
        if choice.strengths.get(facet) not in {"pin", "apply", "hint"} and (
            signal is None or signal.source == "population" or in_context(signal, contexts).tier == "default"
        ):
            found.append(facet)
    return tuple(sorted(found, key=lambda facet: -worth_of_asking(signals.get(facet))))


def _question(catalogue: Catalogue, signals: Mapping[str, Signal], unasked: Collection[str]) -> Question | None:
    """Return the question of most worth.

    Not asked is about careful facets, about sure ones, and where the user likes different values in different contexts:
    a pin would end that.
    """
    best: Question | None = None
    for name, facet in catalogue.facets.items():
        signal = signals.get(name)
        if facet.question is None or facet.careful or name not in unasked:
            continue
        if signal is not None and (signal.tier == "apply" or signal.contexts):
            continue
        worth = worth_of_asking(signal)
        if worth >= MIN_WORTH and (best is None or worth > best.worth):
            best = Question(name, facet.question, worth)
    return best
