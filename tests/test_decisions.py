"""state/decisions."""

from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue import Catalogue
from state.decisions import (
    EXPLORE,
    TIERS,
    decide,
    default_value,
    find,
    learned_signal,
    pinned_signal,
    reasons,
    versions,
)
from state.preferences import BIAS_VARIANCE, NOISE_VARIANCE, VALUE_VARIANCE, Preferences
from state.signals import Signal, decode_signal, encode
from tests.making import CATALOGUE, FILMS, START_MS

FILM_CATALOGUE = Catalogue.parse(FILMS)
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[0]


def believing(*means: float, catalogue: Catalogue = CATALOGUE) -> Preferences:
    """Return preferences with these means for the first facet's values."""
    preferences = Preferences(catalogue)
    for slot, mean in zip(catalogue.facet_slots[0], means, strict=True):
        preferences.means[slot] = mean
    return preferences


def confident(confidence: float) -> Preferences:
    """Return preferences that are this sure of concise answers."""
    ahead = NormalDist().inv_cdf(confidence) * (2 * VALUE_VARIANCE) ** 0.5
    return believing(ahead, 0.0, -9.0)


def signal_of(preferences: Preferences, facet: int = 0) -> Signal:
    finding = find(preferences, facet, decide(preferences, facet), START_MS, 7)
    return learned_signal(preferences.catalogue, finding)


@given(st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3))
def test_best_value_wins_and_second_is_the_runner_up(means: list[float]) -> None:
    """Confidence is the probability that the one beats the other."""
    preferences = believing(*means)
    found = decide(preferences, 0)
    best, second = sorted(means, reverse=True)[:2]
    assert preferences.means[found.slot] == best
    assert preferences.means[found.runner_up] == second
    assert found.slot != found.runner_up
    expected = NormalDist().cdf((best - second) / (2 * VALUE_VARIANCE) ** 0.5)
    assert found.confidence == pytest.approx(expected, abs=1e-6)
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize(
    ("confidence", "tier"),
    [(0.5, "default"), (0.599, "default"), (0.601, "hint"), (0.799, "hint"), (0.801, "apply"), (0.9999, "apply")],
)
def test_tier_follows_confidence(confidence: float, tier: str) -> None:
    """From .6 Copilot may lean that way, from .8 apply it."""
    assert TIERS[decide(confident(confidence), 0).tier] == tier


@pytest.mark.parametrize(("confidence", "tier"), [(0.55, "default"), (0.7, "default"), (0.95, "hint")])
def test_tier_is_one_lower_after_a_drift_until_five_fresh_pieces(confidence: float, tier: str) -> None:
    """The piece that raised the flag is not fresh."""
    preferences = confident(confidence)
    settled = decide(preferences, 0).tier
    for fresh in range(6):
        preferences.fresh[0] = fresh
        assert TIERS[decide(preferences, 0).tier] == tier
    preferences.fresh[0] = 1 + 5
    assert decide(preferences, 0).tier == settled


def test_lower_tier_is_only_that_facets() -> None:
    """Another facet's belief has not changed."""
    preferences = confident(0.95)
    preferences.fresh[1] = 0
    assert TIERS[decide(preferences, 0).tier] == "apply"


# Ties


def test_catalogues_default_wins_a_tie() -> None:
    """Of someone of whom nothing is known, the default is said, with a confidence of one half."""
    found = decide(believing(0, 0, 0), 0)
    assert (found.slot, found.runner_up, found.confidence, found.tier) == (BALANCED, CONCISE, 0.5, 0)


def test_first_in_the_catalogue_wins_a_tie_without_the_default() -> None:
    """The default is behind here."""
    assert decide(believing(1, 0, 1), 0)[:2] == (CONCISE, DETAILED)


def test_default_is_runner_up_only_by_its_own_mean() -> None:
    """A clear winner is not moved by what the default is."""
    assert decide(believing(0, 0, 1), 0)[:2] == (DETAILED, CONCISE)


def test_first_wins_where_there_is_no_default() -> None:
    """The facet says nothing for someone of whom nothing is known."""
    preferences = believing(0, 0, 0, catalogue=FILM_CATALOGUE)
    assert decide(preferences, 0)[:2] == (0, 1)
    assert signal_of(preferences).default is None


# Signals


def test_learned_signal_says_what_is_believed() -> None:
    """Every field of the contract."""
    preferences = believing(0.5, 0.25, -0.5)
    preferences.means[-1] = 0.125
    preferences.evidence[0] = 41.46
    preferences.drift_at_ms[0] = START_MS - 1
    preferences.reasons[CATALOGUE.feedback_index["thumbs_up"]] = 12
    normal = NormalDist()
    scale = (NOISE_VARIANCE + BIAS_VARIANCE + VALUE_VARIANCE) ** 0.5
    p, second = normal.cdf(0.625 / scale), normal.cdf(0.375 / scale)
    signal = signal_of(preferences)
    assert signal == Signal(
        v="1795305600000-0000000007",
        value="concise",
        p=round(p, 3),
        confidence=round(normal.cdf(0.25 / (2 * VALUE_VARIANCE) ** 0.5), 3),
        tier="hint",
        source="learned",
        evidence=41.5,
        runner_up="balanced",
        gap=round(p - second, 3),
        default="balanced",
        explore=EXPLORE,
        drift_at=START_MS - 1,
        why=(("thumbs_up", 12),),
        by="m1.c1.p0",
        at=START_MS,
    )
    assert decode_signal(encode(signal)) == signal
    assert encode(signal).startswith(b'{"v":"1795305600000-0000000007",')


def test_finding_keeps_the_numbers_of_its_moment() -> None:
    """It is put into words later, when the beliefs have moved on."""
    preferences = believing(1, 0, 0)
    finding = find(preferences, 0, decide(preferences, 0), START_MS, 7)
    before = learned_signal(CATALOGUE, finding)
    for _ in range(20):
        preferences.learn([CONCISE], False, 1.0, START_MS)
        preferences.reasons[0] += 1
        preferences.evidence[0] += 1
    assert learned_signal(CATALOGUE, finding) == before


def test_facet_with_several_values_is_not_explored() -> None:
    """Trying another one is not defined for it."""
    assert signal_of(believing(1, 0, 0, catalogue=FILM_CATALOGUE)).explore == 0.0
    assert signal_of(believing(1, 0, 0)).explore == 0.05


def test_pin_is_applied_without_probabilities() -> None:
    """The person has said so; nothing is explored and nothing has to be explained."""
    signal = pinned_signal(CATALOGUE, DETAILED, START_MS, 3)
    assert (signal.value, signal.tier, signal.source) == ("detailed", "apply", "user")
    assert (signal.p, signal.confidence, signal.runner_up, signal.gap) == (None, None, None, None)
    assert (signal.explore, signal.why, signal.drift_at, signal.default) == (0.0, (), None, "balanced")
    assert decode_signal(encode(signal)) == signal


def test_default_is_the_catalogues_or_nothing() -> None:
    """None: say nothing."""
    assert [default_value(FILM_CATALOGUE, facet) for facet in range(2)] == [None, "2000s"]


def test_reasons_are_ordered_by_weight_and_count() -> None:
    """At most three, heaviest first, with plain counts."""
    counts = {"thumbs_up": 2, "copied": 9, "edited": 3, "thumbs_down": 1, "shorter": 3}
    by_kind = [counts.get(kind, 0) for kind in CATALOGUE.feedback]
    assert reasons(CATALOGUE, by_kind) == (("copied", 9), ("shorter", 3), ("thumbs_up", 2))


def test_reasons_of_equal_weight_are_ordered_by_name() -> None:
    """So that equal states say equal things."""
    by_kind = [int(kind in {"thumbs_up", "longer", "deeper", "shorter"}) for kind in CATALOGUE.feedback]
    assert [name for name, _ in reasons(CATALOGUE, by_kind)] == ["deeper", "longer", "shorter"]


def test_nothing_happened_is_no_reason() -> None:
    """Kinds that never occurred are not named."""
    assert reasons(CATALOGUE, bytes(len(CATALOGUE.feedback))) == ()


def test_versions_are_of_model_catalogue_and_population() -> None:
    """Pinned: a signal says what decided it."""
    assert versions(CATALOGUE) == "m1.c1.p0"
