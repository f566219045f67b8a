"""state/learning/decisions."""

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import NO_ROW, TIERS, Beliefs, confidence, decide, find, liking
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.preferences import Preferences
from state.learning.terms import SLOPE_VARIANCE, VALUE_VARIANCES
from tests.support.factories import CATALOGUE, FILMS, START_MS
from tests.support.user_models import SLOPES, set_mean

FILM_CATALOGUE = NumberedCatalogue.parse(FILMS)
FORMAT = CATALOGUE.facet_index["format"]
PROSE, BULLETS, TABLE, CODE = CATALOGUE.facet_slots[FORMAT]
LENGTH = CATALOGUE.facet_index["length"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[LENGTH]
NORMAL = NormalDist()
APART = (2 * VALUE_VARIANCES[CATALOGUE.slot_shapes[PROSE]]) ** 0.5
"""Standard deviation of the difference of two formats, for a new user."""


def sure(deviations: float) -> float:
    """Return the confidence of a difference, in standard deviations."""
    return 0.025 + 0.95 * NORMAL.cdf(1.2 * deviations)


def prior_of(*silent: str, catalogue: NumberedCatalogue = CATALOGUE, **means: float) -> Prior:
    """Return a population prior: nearly certain means by value; other values have no feedback."""
    facets = {slot.value: catalogue.facet_names[slot.facet] for slot in catalogue.slots}
    terms = {f"{facets[value]}={value}": Gaussian(mean, 1e-6) for value, mean in means.items()}
    return Prior(catalogue, PopulationVersion(9, 2, START_MS, 100, terms, {}, silent))


def believing(
    *means: float, facet: int = FORMAT, catalogue: NumberedCatalogue = CATALOGUE, prior: Prior | None = None
) -> Beliefs:
    """Return beliefs with these own means for a facet's values."""
    preferences = Preferences(catalogue)
    for slot, mean in zip(catalogue.facet_slots[facet], means, strict=True):
        set_mean(preferences, slot, mean)
    return Beliefs(preferences, prior or Prior(catalogue))


def confident(confidence: float) -> Beliefs:
    """Return beliefs that are this sure of a table being better than the default; nothing else is near."""
    ahead = NORMAL.inv_cdf(min((confidence - 0.025) / 0.95, 0.9999)) * APART / 1.2
    return believing(0.0, -9.0, ahead, -9.0)


def choice(beliefs: Beliefs, facet: int = FORMAT) -> tuple[int, int]:
    """Return the best value of a facet, and the runner-up."""
    found = decide(beliefs, facet)
    return found.slot, found.runner_up


def lean_to(beliefs: Beliefs, leaning: dict[int, float]) -> None:
    """Let main topics add something to some values."""
    for slot in range(len(beliefs.leaning)):
        beliefs.leaning[slot] = leaning.get(slot, 0.0)
    beliefs.leans = True


def tier_of(beliefs: Beliefs, facet: int = FORMAT) -> str:
    return TIERS[decide(beliefs, facet).tier]


@given(st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4))
def test_best_value_wins_and_second_is_the_runner_up(means: list[float]) -> None:
    """Confidence is the probability that the one beats the other, with standard deviations taken 1.5 times smaller."""
    beliefs = believing(*means)
    found = decide(beliefs, FORMAT)
    best, second = sorted(means, reverse=True)[:2]
    assert beliefs.own.means[found.slot] == best
    assert beliefs.own.means[found.runner_up] == second
    assert found.slot != found.runner_up
    assert found.confidence == pytest.approx(sure((best - second) / APART), abs=1e-6)
    assert 0.5 <= found.confidence <= 1


def test_slope_counts_for_the_values_of_a_scale() -> None:
    """A lean toward the short end favours the shortest value; confidence includes the slope's variance."""
    beliefs = believing(0.0, 0.0, 0.0, facet=LENGTH)
    set_mean(beliefs.own, SLOPES + LENGTH, -0.5)
    found = decide(beliefs, LENGTH)
    assert (found.slot, found.runner_up) == (CONCISE, BALANCED)
    variance = 2 * VALUE_VARIANCES[CATALOGUE.slot_shapes[CONCISE]] + SLOPE_VARIANCE
    assert found.confidence == pytest.approx(sure(0.5 / variance**0.5), abs=1e-6)


def test_population_and_user_model_add_up() -> None:
    """A weak preference decides only where the population has no strong one."""
    own = (0.1, 0.0, 0.0, 0.0)
    assert decide(believing(*own, prior=prior_of(prose=0.0, table=0.05)), FORMAT).slot == PROSE
    assert decide(believing(*own, prior=prior_of(prose=0.0, table=0.5)), FORMAT).slot == TABLE


def test_what_main_topics_add_is_in_the_choice() -> None:
    """By slot, as the prior has it."""
    beliefs = believing(0.0, 0.1, 0.0, 0.0, prior=prior_of(prose=0.2))
    assert decide(beliefs, FORMAT).slot == PROSE
    lean_to(beliefs, {CODE: 0.4})
    assert choice(beliefs) == (CODE, PROSE)


@given(st.floats(0.2, 2), st.floats(0.2, 2), st.floats(0, 0.5))
def test_each_layer_counts_as_much_as_it_has_proved_to_be_worth(population: float, own: float, unsure: float) -> None:
    """In what is chosen and in how sure that is: of both layers' variances, and of the factor's own."""
    terms = {f"format={slot.value}": Gaussian(-9.0, 0.05) for slot in CATALOGUE.slots}
    terms |= {"format=prose": Gaussian(0.0, 0.05), "format=table": Gaussian(0.25, 0.08)}
    trust = {"population": Gaussian(population, 0.1), "own:format": Gaussian(own, unsure)}
    prior = Prior(CATALOGUE, PopulationVersion(9, 2, START_MS, 100, terms, trust, ()))
    found = decide(believing(0.25, 0.0, 0.0, 0.0, prior=prior), FORMAT)
    ahead = 0.25 * (own - population)
    assert found.slot == (PROSE if ahead >= 0 else TABLE)
    variance = own**2 * APART**2 + unsure * 0.25**2 + population**2 * (0.05 + 0.08)
    assert found.confidence == pytest.approx(sure(abs(ahead) / variance**0.5), abs=1e-6)


# Shifts

SHIFTS = st.tuples(*[st.floats(-0.3, 0.3)] * 3)


def shifted(shifts: Sequence[float], difference: float) -> float:
    """Return the confidence for a difference of two formats, with these shifts by step."""
    prior = Prior(CATALOGUE)
    prior.shifts = shifts
    return confidence(believing(0.0, 0.0, 0.0, 0.0, prior=prior), PROSE, TABLE, difference, NO_ROW)


@pytest.mark.parametrize(("ahead", "step"), [(0.1, 0), (0.3, 1), (0.6, 2)])
def test_shift_of_the_confidence_s_step_is_added_to_the_difference(ahead: float, step: int) -> None:
    """The step is that of the confidence without a shift."""
    shifts = [0.0, 0.0, 0.0]
    shifts[step] = -0.05
    assert shifted(shifts, ahead) == pytest.approx(sure((ahead - 0.05) / APART), abs=1e-6)
    shifts[step] = 0.05
    assert shifted(shifts, ahead) == pytest.approx(sure((ahead + 0.05) / APART), abs=1e-6)


def test_shift_changes_a_difference_by_its_own_size_at_most() -> None:
    """The better value stays the better one, and equal values stay equal."""
    assert shifted([-0.3, 0.0, 0.0], 0.1) == pytest.approx(0.5)
    assert shifted([0.3, 0.0, 0.0], 0.1) == pytest.approx(sure(0.2 / APART), abs=1e-6)
    assert shifted([0.3, 0.0, 0.0], 0.0) == pytest.approx(0.5)


@given(SHIFTS, st.floats(0, 5), st.floats(0, 5))
def test_shifted_confidence_grows_with_the_difference(shifts: tuple[float, ...], one: float, other: float) -> None:
    """Within a step and beyond; it is a probability of one half or more, below 1."""
    low, high = sorted((one, other))
    found = [shifted(shifts, difference) for difference in (low, high)]
    assert all(0.5 - 1e-9 <= confidence < 1.0 for confidence in found)
    assert found[0] <= found[1] + 1e-12


def test_factors_of_zero_stop_no_worker() -> None:
    """Releases round factors to hundredths: all means are equal then, and nothing is known."""
    zero = {part: Gaussian(0.0, 0.0) for part in ("population", "own:format")}
    prior = Prior(CATALOGUE, PopulationVersion(9, 2, START_MS, 100, {"format=table": Gaussian(0.4, 0.1)}, zero, ()))
    assert decide(believing(1.0, 0.0, 0.0, 0.0, prior=prior), FORMAT).confidence == 0.5


# Tiers


@pytest.mark.parametrize(
    ("confidence", "tier"),
    [(0.5, "default"), (0.599, "default"), (0.601, "hint"), (0.799, "hint"), (0.801, "apply"), (0.9999, "apply")],
)
def test_tier_follows_confidence(confidence: float, tier: str) -> None:
    """From .6 Copilot may lean that way, from .8 apply it."""
    assert tier_of(confident(confidence)) == tier


def test_value_that_only_beats_the_default_is_a_hint() -> None:
    """Without one the default would be used: that two others are equally good is no reason to use neither."""
    found = decide(believing(-3.0, 0.01, 0.0, -9.0), FORMAT)
    assert (found.slot, found.runner_up) == (BULLETS, TABLE)
    assert 0.5 < found.confidence < 0.6
    assert TIERS[found.tier] == "hint"


def test_facet_that_does_not_help_is_default_however_sure_one_is() -> None:
    """The population's scores decide; other facets keep their tiers."""
    clear = (0.0, -9.0, 3.0, -9.0)
    assert tier_of(believing(*clear, prior=prior_of("format"))) == "default"
    assert tier_of(believing(*clear, prior=prior_of("length"))) == "apply"


# Ties


def test_default_wins_a_tie() -> None:
    """For a new user, the decision is the default with a confidence of one half."""
    found = decide(believing(0, 0, 0, facet=LENGTH), LENGTH)
    assert (found.slot, found.runner_up, found.confidence, found.tier) == (BALANCED, CONCISE, 0.5, 0)


def test_first_in_the_catalogue_wins_a_tie_without_the_default() -> None:
    """The default is behind here."""
    assert choice(believing(1, 0, 1, facet=LENGTH), LENGTH) == (CONCISE, DETAILED)


def test_default_is_runner_up_only_by_its_own_mean() -> None:
    """A clear winner is not moved by what the default is."""
    assert choice(believing(0, 0, 1, facet=LENGTH), LENGTH) == (DETAILED, CONCISE)


def test_first_wins_where_there_is_no_default() -> None:
    """The decision for a new user has no default."""
    beliefs = believing(0, 0, 0, facet=0, catalogue=FILM_CATALOGUE)
    assert choice(beliefs, 0) == (0, 1)
    assert find(beliefs, 0, decide(beliefs, 0), START_MS, 7).default is None


@pytest.mark.parametrize("rule", [decide, liking])
def test_none_in_place_of_beliefs_is_an_error(rule: Callable[[Any, int], object]) -> None:
    """Compiled code would otherwise read foreign memory, and end the process."""
    with pytest.raises(AttributeError):
        rule(None, 0)
