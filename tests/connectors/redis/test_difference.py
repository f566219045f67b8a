"""connectors/redis/difference: counts over users, with the tolerance of confidences."""

import msgspec
import pytest

from connectors.redis.difference import ALL_USERS, Difference, Terms
from connectors.redis.held import NO_GATE, Held, held
from tacit.contract.signals import Profile, Signal, encode
from tests.support.sample_signals import NOW_MS, profile, signal

SIGNAL = signal("concise", NOW_MS)


def user(*signals: tuple[str, Signal | Profile]) -> Held:
    return held({name.encode(): encode(content) for name, content in signals})


def compared(one: Held, other: Held, terms: Terms = ALL_USERS) -> Difference:
    found = Difference("live", "shadow", terms)
    found.add(one, other, NO_GATE)
    return found


@pytest.mark.parametrize(
    ("moved", "tolerance", "same"), [(0.0, 0.0, 1), (0.05, 0.0, 0), (0.05, 0.05, 1), (0.06, 0.05, 0), (0.14, 1.0, 1)]
)
def test_confidences_within_the_tolerance_are_the_same(moved: float, tolerance: float, same: int) -> None:
    other = msgspec.structs.replace(SIGNAL, confidence=0.86 - moved)
    found = compared(user(("length", SIGNAL)), user(("length", other)), Terms(tolerance))
    assert (found.same, found.facets["length"].same, found.differs) == (same, same, not same)
    assert found.identical == (moved == 0)


@pytest.mark.parametrize("change", [{"value": "detailed"}, {"tier": "hint"}, {"source": "population"}])
def test_other_members_have_no_tolerance(change: dict[str, str]) -> None:
    other = msgspec.structs.replace(SIGNAL, **change)
    found = compared(user(("length", SIGNAL)), user(("length", other)), Terms(1.0))
    assert found.same == 0
    assert sum(found.tiers.values()) == ("tier" in change)
    assert sum(found.sources.values()) == ("source" in change)


def test_signal_without_a_confidence_equals_another_one() -> None:
    pinned = msgspec.structs.replace(SIGNAL, confidence=None)
    assert compared(user(("length", pinned)), user(("length", pinned))).same == 1
    assert compared(user(("length", pinned)), user(("length", SIGNAL)), Terms(1.0)).facets["length"].confidence == 1


def test_parts_of_profiles_are_counted() -> None:
    one = profile(NOW_MS)
    other = msgspec.structs.replace(one, topics=(("email", 1.0),), hours=(1.0,) * 24)
    found = compared(user(("_profile", one)), user(("_profile", other)))
    assert (found.both, found.same, found.profile.both, found.profile.same) == (1, 0, 1, 0)
    assert (found.profile.topics, found.profile.hours, found.profile.activity, found.profile.session) == (1, 1, 0, 0)
    missing = compared(user(("_profile", one)), user(("length", SIGNAL)))
    assert (missing.profile.only_first, missing.facets["length"].only_second, missing.same) == (1, 1, 0)


def test_causes_add_up_to_the_differences() -> None:
    """One per facet, profile, or user of one namespace."""
    found = compared(user(("length", SIGNAL), ("_profile", profile(NOW_MS))), user(("tone", SIGNAL)))
    found.add(user(("length", SIGNAL)), user(), NO_GATE)
    assert found.causes.total() == 4


def test_user_who_is_gone_from_both_does_not_count() -> None:
    found = compared(user(), user())
    assert not found.differs
    assert (found.both, found.causes.total()) == (0, 0)
