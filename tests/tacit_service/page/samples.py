"""Facts on a user for tests of the view: an adaptation, a gate and a history."""

from typing import Any

from msgspec.structs import replace

from tacit.contract.activity import DAY_MS, HOUR_MS, Activity
from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import UNASKED, Consents, Gate, GatePin, ScopeConsent
from tacit.contract.history import Action, Change, History
from tacit.contract.names import Names
from tacit.contract.signals import ContextValue, Profile, Session, Signal
from tacit.contract.versions import version
from tacit.reader.adaptation import Adaptation
from tacit_service.page.facts import Facts
from tacit_service.page.language import Language, Languages

NOW_MS = 1_795_297_433_438
"""21 November 2026, 21:43 UTC."""
CATALOGUE = Catalogue.load()
LANGUAGES = Languages()
ENGLISH, GERMAN = LANGUAGES.chosen("en"), LANGUAGES.chosen("de")


def learned(value: str, confidence: float, **members: Any) -> Signal:
    """Return a signal that was learned two days ago."""
    return replace(
        Signal(
            v="1795297433438-0000000042",
            value=value,
            p=0.9,
            confidence=confidence,
            tier="apply" if confidence >= 0.8 else "hint" if confidence >= 0.6 else "default",
            source="learned",
            evidence=2.0,
            runner_up=None,
            gap=0.2,
            default=None,
            explore=0.02,
            why=(),
            by="m2.c1.p1",
            at=NOW_MS - 2 * DAY_MS,
        ),
        **members,
    )


LENGTH = learned(
    "concise",
    0.91,
    why=(("thumbs_up", 5), ("shorter", 1)),
    why_not=(("thumbs_down", 1),),
    evidence=12.0,
    contexts=(ContextValue("topic:email", "detailed", 0.83, "apply", "balanced"),),
)
TONE = Signal(
    "1795297433438-0000000000", "formal", None, None, "apply", "user", 0.0, None, None, "neutral", 0.0, (), "m0.c1.p0",
    NOW_MS - HOUR_MS,
)  # fmt: skip
PROFILE = Profile(
    "v",
    Activity(3, 12, 57),
    (("code", 0.6), ("email", 0.4)),
    Session(NOW_MS - HOUR_MS, 6, 0.5),
    (*[0.0] * 8, 8.0, 14.0, *[0.0] * 10, 1.5, *[0.0] * 3),
    NOW_MS,
)
GATE = Gate(
    learn=ScopeConsent("granted", NOW_MS - 40 * DAY_MS),
    use=ScopeConsent("granted", NOW_MS - 40 * DAY_MS),
    explore=ScopeConsent("denied", NOW_MS - 3 * DAY_MS),
    pins={"tone": GatePin("formal", NOW_MS - HOUR_MS)},
)
HISTORY = History(
    version(NOW_MS, 2),
    actions=(
        Action(at_ms=NOW_MS - 3 * DAY_MS, action="consent", scopes=("explore",), states=("granted",), granted=False),
        Action(at_ms=NOW_MS - HOUR_MS, action="pin", facet="tone", value="formal"),
    ),
    changes=(
        Change(at_ms=NOW_MS - 20 * DAY_MS, facet="format", before="prose", value="bullets", source="learned"),
        Change(at_ms=NOW_MS - 2 * DAY_MS, facet="length", before=None, value="concise", source="learned"),
        Change(at_ms=NOW_MS - HOUR_MS, facet="tone", before="neutral", value="formal", source="user"),
    ),
)


def known_user(
    language: Language = ENGLISH, *, catalogue: Catalogue = CATALOGUE, gate: Gate = GATE, **members: Any
) -> Facts:
    """Return facts on a user with a learned facet, a pin and a profile; members replace those of the adaptation."""
    consent = Consents(gate.learn.state, gate.use.state, gate.explore.state)
    found: dict[str, Any] = {
        "status": "fresh",
        "signals": {"length": LENGTH, "tone": TONE},
        "profile": PROFILE,
        "defaults": {},
        "consent": consent,
    }
    adaptation = Adaptation(**{**found, **members}, _catalogue=catalogue)
    names = Names.of(catalogue, language.code)
    return Facts(adaptation, gate, HISTORY, catalogue, language, NOW_MS, names, NOW_MS + 28 * DAY_MS)


def new_user(language: Language = ENGLISH) -> Facts:
    """Return facts on a user of whom nothing is known."""
    adaptation = Adaptation("absent", {}, None, {}, CATALOGUE, UNASKED)
    names = Names.of(CATALOGUE, language.code)
    return Facts(adaptation, Gate(), History(version(0, 0)), CATALOGUE, language, NOW_MS, names)
