"""connectors/redis/cause: the kind of change behind a difference."""

from collections.abc import Mapping

import msgspec
import pytest

from connectors.redis.cause import (
    Cause,
    cause_in_facet,
    cause_in_profile,
    cause_of_missing_user,
    cause_with_goes,
    cause_with_rebuild,
)
from connectors.redis.held import NO_GATE, Held, held
from tacit.contract.gates import Gate, GatePin, ScopeConsent
from tacit.contract.signals import PROFILE, STATUS, WIPED, Profile, Session, Signal, encode
from tacit_cli.views.difference import CAUSES
from tests.support.sample_signals import DAY_MS, NOW_MS, profile, signal

SIGNAL = signal("concise", NOW_MS)
OLD = signal("concise", NOW_MS - 40 * DAY_MS)
OTHER = msgspec.structs.replace(SIGNAL, value="detailed")
EXPIRED_MS = NOW_MS - 30 * DAY_MS


def user(raw: Mapping[str, bytes] | None = None, /, **fields: Signal | Profile) -> Held:
    encoded = {name.encode(): encode(content) for name, content in fields.items()}
    return held(encoded | {name.encode(): content for name, content in (raw or {}).items()})


def by(text: str) -> Signal:
    return msgspec.structs.replace(OTHER, by=text)


def seen(at_ms: int, count: int, text: str = "m1.c1.p0") -> Held:
    """Return a user with a profile of that version."""
    return user(length=by(text), **{PROFILE: profile(at_ms, count)})


@pytest.mark.parametrize(
    ("one", "other", "cause"),
    [
        (user(length=SIGNAL), user(length=OTHER), Cause.UNEXPLAINED),
        (user(length=SIGNAL), user(length=by("m1.c2.p0")), Cause.CATALOGUE),
        (user(length=SIGNAL), user(length=by("m2.c1.p0")), Cause.CATALOGUE),
        (user(length=SIGNAL), user(length=by("m1.c1.p7")), Cause.POPULATION),
        (user(length=SIGNAL), user(length=signal("detailed", NOW_MS, 2)), Cause.EVIDENCE),
        (seen(NOW_MS, 7), seen(NOW_MS, 8, "m1.c1.p7"), Cause.EVIDENCE),
        (seen(NOW_MS, 7), seen(NOW_MS, 7, "m1.c1.p7"), Cause.POPULATION),
        (seen(NOW_MS, 7), seen(NOW_MS, 8, "m1.c2.p0"), Cause.CATALOGUE),
        (user(length=OLD, tone=SIGNAL), user(tone=SIGNAL), Cause.EXPIRED),
        (user(length=SIGNAL, tone=SIGNAL), user(tone=SIGNAL), Cause.UNEXPLAINED),
        (user(length=SIGNAL), user(tone=by("m1.c2.p0")), Cause.CATALOGUE),
        (user(length=SIGNAL), user({"length": b"{"}), Cause.UNREADABLE),
        (user(length=SIGNAL), user({WIPED: b'{"v":"1"}'}, length=OTHER), Cause.CONSENT),
    ],
)
def test_cause_in_a_facet(one: Held, other: Held, cause: Cause) -> None:
    """The same in both directions."""
    assert cause_in_facet("length", one, other, NO_GATE, EXPIRED_MS) is cause
    assert cause_in_facet("length", other, one, NO_GATE, EXPIRED_MS) is cause


@pytest.mark.parametrize(
    ("one", "other", "of_replays", "of_a_live_run"),
    [
        (seen(NOW_MS, 7, "m1.c1.p6"), seen(NOW_MS, 7, "m1.c1.p7"), Cause.GOES, Cause.POPULATION),
        (seen(NOW_MS, 7, "m1.c1.p0"), seen(NOW_MS, 7, "m1.c1.p7"), Cause.GOES, Cause.POPULATION),
        (seen(NOW_MS, 7), seen(NOW_MS, 8), Cause.EVIDENCE, Cause.EVIDENCE),
        (seen(NOW_MS, 7), seen(NOW_MS, 7, "m1.c2.p0"), Cause.CATALOGUE, Cause.CATALOGUE),
        (user(length=SIGNAL), user(length=OTHER), Cause.GOES, Cause.GOES),
        (user(length=SIGNAL), user(length=signal("detailed", NOW_MS, 2)), Cause.EVIDENCE, Cause.EVIDENCE),
        (
            user(length=SIGNAL, **{PROFILE: profile(NOW_MS, 7)}),
            user(length=signal("detailed", NOW_MS, 2), **{PROFILE: profile(NOW_MS, 7)}),
            Cause.GOES,
            Cause.EVIDENCE,
        ),
    ],
)
def test_several_goes_explain_differences_of_the_population(
    one: Held, other: Held, of_replays: Cause, of_a_live_run: Cause
) -> None:
    """Other events, another catalogue and a replay without a population model stay causes of their own."""
    for first, second in ((one, other), (other, one)):
        cause = cause_in_facet("length", first, second, NO_GATE, EXPIRED_MS)
        for are_replays, expected in ((True, of_replays), (False, of_a_live_run)):
            assert cause_with_goes(cause, first, second, are_replays=are_replays, learn=True) is expected
        if cause is Cause.POPULATION:
            assert cause_with_goes(cause, first, second, are_replays=True, learn=False) is cause


def in_session(began_ms: int, at_ms: int, count: int) -> Held:
    """Return a user with a signal and a profile of that version."""
    seen = msgspec.structs.replace(profile(at_ms, count), session=Session(began_ms, 1, 0.0))
    return user(length=signal("detailed", at_ms, count), **{PROFILE: seen})


@pytest.mark.parametrize(
    ("rebuilt", "other", "of_learning", "of_others"),
    [
        (in_session(NOW_MS, NOW_MS + 9, 8), in_session(NOW_MS, NOW_MS, 7), Cause.REBUILT, Cause.REBUILT),
        (in_session(NOW_MS, NOW_MS + 9, 8), in_session(NOW_MS - 9, NOW_MS - 1, 7), Cause.EVIDENCE, Cause.EVIDENCE),
        (in_session(NOW_MS, NOW_MS, 7), in_session(NOW_MS, NOW_MS + 9, 8), Cause.EVIDENCE, Cause.EVIDENCE),
        (user(length=SIGNAL), user(length=signal("detailed", NOW_MS, 2)), Cause.EVIDENCE, Cause.EVIDENCE),
        (user(length=SIGNAL), user(length=OTHER), Cause.REBUILT, Cause.REBUILT),
        (seen(NOW_MS, 7, "m1.c1.p8"), seen(NOW_MS, 7, "m1.c1.p0"), Cause.REBUILT, Cause.POPULATION),
        (seen(NOW_MS, 7), seen(NOW_MS, 7, "m1.c2.p0"), Cause.CATALOGUE, Cause.CATALOGUE),
    ],
)
def test_rebuild_explains_differences_of_the_same_events(
    rebuilt: Held, other: Held, of_learning: Cause, of_others: Cause
) -> None:
    """A profile of another session, or a newer one than the rebuild's, shows other events."""
    cause = cause_in_facet("length", rebuilt, other, NO_GATE, EXPIRED_MS)
    for learn, expected in ((True, of_learning), (False, of_others)):
        assert cause_with_rebuild(cause, rebuilt, other, learn=learn) is expected


@pytest.mark.parametrize(
    ("gate", "cause"),
    [
        (Gate(pins={"length": GatePin("concise", NOW_MS)}), Cause.PIN),
        (Gate(pins={"length": GatePin(None, NOW_MS)}), Cause.UNEXPLAINED),
        (Gate(pins={"tone": GatePin("warm", NOW_MS)}), Cause.UNEXPLAINED),
        (Gate(wiped={"length": SIGNAL.v}), Cause.CONSENT),
        (Gate(wiped={"length": OLD.v}), Cause.UNEXPLAINED),
    ],
)
def test_cause_in_a_facet_by_the_gate(gate: Gate, cause: Cause) -> None:
    assert cause_in_facet("length", user(length=SIGNAL), user(length=OTHER), gate, 0) is cause


@pytest.mark.parametrize(
    ("there", "gate", "cause"),
    [
        (user(length=SIGNAL), NO_GATE, Cause.MISSING_USER),
        (user(length=OLD), NO_GATE, Cause.EXPIRED),
        (user(length=SIGNAL), Gate(wiped_ms=NOW_MS), Cause.CONSENT),
        (user(length=SIGNAL), Gate(wiped_ms=NOW_MS - 1), Cause.MISSING_USER),
        (user(length=SIGNAL), Gate(use=ScopeConsent("denied", 1)), Cause.CONSENT),
        (user({STATUS: b"{}"}), NO_GATE, Cause.CONSENT),
    ],
)
def test_cause_of_a_missing_user(there: Held, gate: Gate, cause: Cause) -> None:
    assert cause_of_missing_user(there, gate, EXPIRED_MS) is cause


@pytest.mark.parametrize(
    ("one", "other", "cause"),
    [
        (seen(NOW_MS, 7), seen(NOW_MS, 8), Cause.EVIDENCE),
        (seen(NOW_MS, 7), seen(NOW_MS, 7), Cause.UNEXPLAINED),
        (seen(NOW_MS, 7), seen(NOW_MS, 7, "m1.c1.p3"), Cause.UNEXPLAINED),
        (seen(NOW_MS, 7), seen(NOW_MS, 7, "m1.c2.p0"), Cause.CATALOGUE),
        (seen(NOW_MS - 40 * DAY_MS, 7), user(length=SIGNAL), Cause.EXPIRED),
        (seen(NOW_MS, 7), user(length=OTHER), Cause.EVIDENCE),
        (seen(NOW_MS, 7), user({PROFILE: b"{"}, length=OTHER), Cause.UNREADABLE),
    ],
)
def test_cause_in_a_profile(one: Held, other: Held, cause: Cause) -> None:
    """No profile depends on the population version."""
    assert cause_in_profile(one, other, EXPIRED_MS) is cause
    assert cause_in_profile(other, one, EXPIRED_MS) is cause


def test_every_cause_has_a_text() -> None:
    assert list(CAUSES) == list(Cause)
