"""Document of the knowledge about a user: a pure function of the user's keys in Redis and of the catalogue."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from tacit import Adaptation, pseudonym_text
from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import SCOPES, Gate, Scope
from tacit.contract.names import Names
from tacit.contract.signals import Profile, Signal, Tier
from tacit.reader.adaptation import Status
from tacit.reader.choice import Choice, Strength

Counted = tuple[tuple[str, int], ...]
"""Feedback kinds with their counts."""

DEFAULT_LANGUAGE = "en"
KNOWN_UNIT = "known"
"""Unit of the choice without exploration that the document shows."""


class KnownConsent(Struct, frozen=True):
    """Consent in one scope."""

    state: Literal["unasked", "granted", "lapsed", "denied", "unknown"]
    since_ms: int
    """Time from which the state holds; 0: always."""


class KnownPin(Struct, frozen=True):
    """The user's own setting."""

    value: str
    at_ms: int


class KnownContext(Struct, frozen=True):
    """Different value on a topic or surface."""

    context: str
    """`topic:` or `surface:`, and a name of the catalogue."""
    title: str
    value: str
    label: str
    tier: Tier
    confidence: float


class KnownFacet(Struct, frozen=True):
    """One facet."""

    facet: str
    title: str
    value: str | None
    """Value that assistants serve, without exploration; None: no value."""
    label: str | None
    source: Literal["user", "learned", "population", "default"]
    tier: Tier
    strength: Strength
    confidence: float | None
    sure: Literal["set", "sure", "likely", "guess", "unknown"]
    """Confidence in a word: a pin, the tier `apply`, `hint` or `default` of own feedback, or no feedback."""
    evidence: float
    against: float
    because: Counted
    against_because: Counted
    pin: KnownPin | None
    contexts: tuple[KnownContext, ...]
    since_ms: int
    """Time of the newest event behind the value; 0: none."""
    text: str
    """Instruction that the assistant gets for the value; empty for a default."""


class Known(Struct, frozen=True):
    """Knowledge about a user."""

    user: str
    """Pseudonym."""
    status: Status
    learns: bool
    """Feedback trains."""
    uses: bool
    """Answers follow the signals."""
    tries: bool
    """Other values are tried in some conversations."""
    consent: Mapping[Scope, KnownConsent]
    facets: tuple[KnownFacet, ...]
    profile: Profile | None
    prompt: str
    """Text that assistants get, without exploration."""
    forgotten_ms: int
    """Time of the last forget of everything; 0: never."""
    expires_at_ms: int | None
    """Time at which the signals expire without a further event; None: no limit, or no signals."""


def known(
    catalogue: Catalogue,
    user: bytes,
    adaptation: Adaptation,
    gate: Gate | None,
    expires_at_ms: int | None,
    language: str = DEFAULT_LANGUAGE,
) -> Known:
    """Return the document.

    Args:
        catalogue: the deployment's catalogue.
        user: 16-byte pseudonym.
        adaptation: the user's adaptation.
        gate: the user's gate; None: it cannot be read.
        expires_at_ms: end of the user's signals.
        language: language of labels and titles, such as `de` or `de-AT`.
    """
    choice = adaptation.choose(KNOWN_UNIT, explore=False)
    unasked = catalogue.consent.default
    names = Names.of(catalogue, language)
    uses = adaptation.status not in {"opted_out", "unavailable"}
    return Known(
        pseudonym_text(user),
        adaptation.status,
        adaptation.consent.trains(unasked),
        uses,
        uses and catalogue.explore and adaptation.consent.explores(unasked),
        {scope: _consent(scope, gate) for scope in SCOPES},
        tuple(_facet(catalogue, names, name, adaptation, choice) for name in catalogue.facets),
        adaptation.profile,
        choice.prompt(),
        0 if gate is None else gate.forgotten_ms,
        expires_at_ms,
    )


def _consent(scope: Scope, gate: Gate | None) -> KnownConsent:
    if gate is None:
        return KnownConsent("unknown", 0)
    found = getattr(gate, scope)
    return KnownConsent(found.state, found.since_ms)


def _facet(catalogue: Catalogue, names: Names, name: str, adaptation: Adaptation, choice: Choice) -> KnownFacet:
    value, strength = choice.values.get(name), choice.strengths.get(name, "default")
    own = adaptation.signals.get(name)
    signal = own or (adaptation.defaults.get(name) if choice.policy == "learned" else None)
    is_pinned = signal is not None and signal.source == "user"
    instruction = next((each for each in choice.instructions(defaults=True) if each.facet == name), None)
    return KnownFacet(
        name,
        names.facet(name),
        value,
        None if value is None else names.value(name, value),
        _source(signal, value, strength, catalogue.facets[name].default),
        "default" if signal is None else signal.tier,
        strength,
        None if signal is None else signal.confidence,
        _sure(own, strength),
        0.0 if own is None else own.evidence,
        0.0 if own is None else own.against,
        () if own is None else own.why,
        () if own is None else own.why_not,
        KnownPin(signal.value, signal.at) if signal is not None and is_pinned else None,
        () if own is None or is_pinned else _contexts(names, name, own),
        0 if own is None else own.at,
        instruction.text if instruction is not None and strength != "default" else "",
    )


def _source(
    signal: Signal | None, value: str | None, strength: Strength, default: str | None
) -> Literal["user", "learned", "population", "default"]:
    if signal is None or (strength == "default" and value == default):
        return "default"
    return signal.source


_SURE: Mapping[Tier, Literal["sure", "likely", "guess"]] = {"apply": "sure", "hint": "likely", "default": "guess"}


def _sure(own: Signal | None, strength: Strength) -> Literal["set", "sure", "likely", "guess", "unknown"]:
    if strength == "pin":
        return "set"
    if own is None or own.source == "population":
        return "unknown"
    return _SURE[own.tier]


def _contexts(names: Names, facet: str, own: Signal) -> tuple[KnownContext, ...]:
    return tuple(
        KnownContext(
            each.context,
            names.context(each.context),
            each.value,
            names.value(facet, each.value),
            each.tier,
            each.confidence,
        )
        for each in own.contexts
    )
