"""Prior of a population version, compared with sums over its features."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.events.observation import NONE
from state.learning import population_prior as module
from state.learning.decisions import MAX_TOPICS, Beliefs
from state.learning.features import Features, item_feature, prior_variance
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import MAX_SHIFT, Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.learning.prediction import CERTAIN, NO_POPULATION, NOISE_VARIANCE, UserPart
from state.row.layout import layout_of, sizes_of
from state.row.row import Row
from tests.state.learning.test_preferences import styles
from tests.support.factories import CATALOGUE, FILMS, START_MS, interactions, slots

FILM_CATALOGUE = NumberedCatalogue.parse(FILMS)
FORMAT = CATALOGUE.facet_index["format"]
PROSE, BULLETS, TABLE, CODE = CATALOGUE.facet_slots[FORMAT]
TOPICS = CATALOGUE.topic_index
MEANS = st.floats(-1, 1)
FACTORS = st.builds(Gaussian, MEANS, st.floats(0, 0.2))


def prior_of(
    features: dict[str, Gaussian] | None = None,
    factors: dict[str, Gaussian] | None = None,
    uninformative: Sequence[str] = (),
    catalogue: NumberedCatalogue = CATALOGUE,
) -> Prior:
    return Prior(catalogue, PopulationVersion(4, 2, START_MS, 100, features or {}, factors or {}, tuple(uninformative)))


def known(**means: float) -> dict[str, Gaussian]:
    """Return features of formats with a small variance; `code__table` is tables on the topic code."""
    names = {name: "format=" + name for name in means} | {"code__table": "topic:code&format=table"}
    return {names[name]: Gaussian(mean, 1e-6) for name, mean in means.items()}


def leaning(prior: Prior, topics: Sequence[int], weights: Sequence[float]) -> list[float]:
    """Return what a user's topics add, by slot; empty for nothing."""
    row = Row(layout_of(sizes_of(CATALOGUE)))
    for place, (topic, weight) in enumerate(zip(topics, weights, strict=True)):
        row.topic_ids[0, place], row.topic_weights[0, place] = topic, weight
    beliefs = Beliefs(OwnBeliefs(row, CATALOGUE), prior)
    beliefs.lean()
    return list(beliefs.leaning) if beliefs.leans else []


def all_features(catalogue: NumberedCatalogue) -> list[str]:
    """Return the features of every possible answer, with one item."""
    names, found = Features(catalogue), {"bias", item_feature(7), *(f"judged:{step}" for step in range(11))}
    for slot in range(len(catalogue.slots)):
        for topic in (NONE, *range(len(catalogue.topics.values))):
            found.update(names.of_value(slot, topic), names.of_value(slot, NONE, topic))
        found.update(names.of_pair(slot, other) for other in range(slot + 1, len(catalogue.slots)))
    return sorted(found)


def beliefs(catalogue: NumberedCatalogue, named: Sequence[str]) -> st.SearchStrategy[dict[str, Gaussian]]:
    """Return a strategy for beliefs about most of the named features and some others."""
    one = st.builds(Gaussian, st.floats(0.1, 1) | st.floats(-1, -0.1), st.floats(0.01, 0.2))
    others = st.dictionaries(st.sampled_from(all_features(catalogue)), one, max_size=8)
    unknown = st.sets(st.sampled_from(named), max_size=3)
    known = unknown.flatmap(lambda left: st.fixed_dictionaries(dict.fromkeys(sorted(set(named) - left), one)))
    return st.builds(dict[str, Gaussian].__or__, others, known)


# Without a version


def test_without_a_version_the_expectation_is_neutral() -> None:
    """The user model alone decides."""
    prior = Prior(CATALOGUE)
    assert prior.number == 0
    assert prior.expect([0], 0, 0, 7, 3) == NO_POPULATION
    assert prior.compare(1, 0, 0, 0)[:2] == (0.0, NOISE_VARIANCE)
    assert not any([*prior.means, *prior.variances])
    assert prior.default_slots == list(CATALOGUE.default_slots)
    assert not leaning(prior, [0], [1.0])
    assert prior.uninformative == frozenset()


def test_empty_version_has_prior_variances() -> None:
    """Each feature has its prior variance."""
    served = slots({"length": "concise"})
    expected = prior_of().expect(served, TOPICS["code"], NONE, 7, 0)
    assert expected.mean == 0
    assert expected.variance == pytest.approx(NOISE_VARIANCE + 0.1 + 0.1 + 0.1 + 0.03 + 0.25 + 0.1)


# Sums


@pytest.mark.parametrize("catalogue", [CATALOGUE, FILM_CATALOGUE], ids=["copilot", "films"])
@given(st.data())
def test_expectation_is_the_sum_over_features(catalogue: NumberedCatalogue, data: st.DataObject) -> None:
    """A feature outside the version has its prior."""
    served = slots(data.draw(styles(catalogue)), catalogue)
    topic = data.draw(st.integers(NONE, len(catalogue.topics.values) - 1))
    surface = data.draw(st.integers(NONE, len(catalogue.surfaces.values) - 1))
    item, feedback_count = data.draw(st.sampled_from([0, 7, 8])), data.draw(st.integers(0, 255))
    named = Features(catalogue).of_answer(served, topic, surface, item, feedback_count)
    features = data.draw(beliefs(catalogue, named))
    expected = prior_of(features, catalogue=catalogue).expect(served, topic, surface, item, feedback_count)
    found = [features.get(feature, Gaussian(0.0, prior_variance(feature))) for feature in named]
    assert expected.mean == pytest.approx(sum(feature.mean for feature in found), abs=1e-9)
    assert expected.variance == pytest.approx(NOISE_VARIANCE + sum(feature.variance for feature in found), abs=1e-9)


@pytest.mark.parametrize("prior", [Prior(CATALOGUE), prior_of(known(table=0.3) | {"judged:4": Gaussian(0.2, 0.1)})])
def test_single_value_is_an_answer_without_other_features(prior: Prior) -> None:
    """The answer has no topic, surface or item."""
    expected = prior.expect([TABLE], NONE, NONE, 0, 9)
    mean, variance = prior.by_feedback_count[9]
    found = mean + prior.means[TABLE], variance + prior.variances[TABLE]
    assert found == pytest.approx((expected.mean, expected.variance))


def test_comparison_of_two_values_is_their_difference() -> None:
    """The topic counts; the other parts of the answer and the offset are equal on both sides."""
    prior = prior_of(
        known(prose=0.1, table=0.3, code__table=0.2) | {"bias": Gaussian(2.0, 0.1)}, {"offset": Gaussian(0.5, 0.1)}
    )
    better = prior.compare(TABLE, PROSE, TOPICS["code"], NONE)
    assert better.mean == pytest.approx(0.3 + 0.2 - 0.1)
    assert better.variance == pytest.approx(NOISE_VARIANCE + 3e-6 + 0.03)
    assert prior.compare(PROSE, TABLE, TOPICS["code"], NONE).mean == -better.mean
    assert better.factors.offset == 0
    assert prior.factors.offset == 0.5


@given(st.data())
def test_parts_by_facet_add_up_to_the_expectation(data: st.DataObject) -> None:
    """The sum includes the part without a facet, and excludes pairs of values."""
    o = data.draw(interactions())
    names = ["offset", "population", "own", *(f"own:{name}" for name in CATALOGUE.facet_names)]
    factors = data.draw(st.fixed_dictionaries(dict.fromkeys(names, FACTORS)))
    named = Features(CATALOGUE).of_answer(o.slots, o.topic, o.surface, o.item, 3)
    prior = prior_of(data.draw(beliefs(CATALOGUE, named)), factors)
    shares = {CATALOGUE.slot_facets[slot]: 0.1 * slot for slot in o.slots}
    own = UserPart(0.3 + sum(shares.values()), 0.1, 0.3, shares)
    expected = prior.expect(o.slots, o.topic, o.surface, o.item, 3)
    parts = prior.by_facet(o.slots, o.topic, o.surface, shares)
    apart = prior.expect((), o.topic, o.surface, o.item, 3).stacked_mean(UserPart(0.3, 0.0, 0.3, {}))
    assert expected.stacked_mean(own) == pytest.approx(apart + sum(parts.values()), abs=1e-9)
    assert set(parts) == set(shares)


def test_factors_are_those_of_the_version_or_one() -> None:
    """A facet outside the catalogue has no factor."""
    some = {"population": Gaussian(0.8, 0.01), "own:format": Gaussian(1.2, 0.02), "own:mood": Gaussian(9.0, 0.1)}
    prior = prior_of(factors=some)
    assert prior.factors[:3] == (0.0, 0.8, 1.0)
    assert prior_of(factors={"offset": Gaussian(0.2, 0.1), "own": Gaussian(0.7, 0.1)}).factors[:3] == (0.2, 1.0, 0.7)
    assert prior.factors.own == [Gaussian(1.2, 0.02) if f == FORMAT else CERTAIN for f in range(5)]


def test_features_outside_the_catalogue_are_ignored() -> None:
    """A version may be older or newer than the catalogue."""
    prior = prior_of(known(table=0.3) | {"format=slides": Gaussian(9.0, 0.1), "mood=gay": Gaussian(9.0, 0.1)})
    assert max(prior.means) == 0.3


def without_default(catalogue: NumberedCatalogue = CATALOGUE) -> NumberedCatalogue:
    """Return a catalogue in which the facet has no default."""
    return replace(catalogue, facets=catalogue.facets | {"format": replace(catalogue.facets["format"], default=None)})


def test_removed_value_is_no_default() -> None:
    """The number of the value and beliefs about the value may remain."""
    table = Vocabulary().including(CATALOGUE)
    whole = CATALOGUE.facets["format"]
    facets = CATALOGUE.facets | {"format": replace(whole, values=("prose", "bullets", "code"), default=None)}
    catalogue = replace(CATALOGUE, facets=facets).numbered(table)
    assert TABLE in catalogue.idle_slots
    ahead = known(bullets=0.2, table=0.9)
    assert prior_of(ahead, catalogue=without_default()).default_slots[FORMAT] == TABLE
    assert prior_of(ahead, catalogue=catalogue).default_slots[FORMAT] == BULLETS


# Defaults and uninformative facets


@pytest.mark.parametrize(("ahead", "is_default"), [(0.05, False), (0.2, True)])
def test_facet_without_default_has_the_best_value_with_enough_confidence(ahead: float, is_default: bool) -> None:
    """A confidence of 0.6 is needed."""
    features = {f"format={name}": Gaussian(0.0, 0.08) for name in ("prose", "bullets", "code")}
    prior = prior_of(features | {"format=table": Gaussian(ahead, 0.08)}, catalogue=without_default())
    assert (NormalDist().cdf(ahead / sqrt(0.16)) >= 0.6) is is_default
    assert prior.default_slots[FORMAT] == (TABLE if is_default else None)


@pytest.mark.parametrize(("ahead", "takes_over"), [(0.17, False), (0.19, True)])
def test_default_of_the_catalogue_is_replaced_by_a_value_that_beats_it(ahead: float, takes_over: bool) -> None:
    """A value has to be better by 0.05 with a confidence of 0.9; beliefs from later answers have no influence."""
    features = {"default:format=prose": Gaussian(0.0, 0.005), "default:format=table": Gaussian(ahead, 0.005)}
    prior = prior_of(known(bullets=0.9) | features)
    assert (NormalDist().cdf((ahead - 0.05) / sqrt(0.01)) >= 0.9) is takes_over
    assert prior.default_slots[FORMAT] == (TABLE if takes_over else PROSE)


@pytest.mark.parametrize("default", ["prose", None])
def test_default_of_a_careful_facet_is_the_catalogues(default: str | None) -> None:
    """Nothing that other users like is done to a user who is not known to like it."""
    careful = replace(CATALOGUE.facets["format"], careful=True, default=default)
    catalogue = replace(CATALOGUE, facets=CATALOGUE.facets | {"format": careful})
    ahead = {"default:format=table": Gaussian(0.9, 0.001)} | known(table=0.9)
    assert prior_of(ahead, catalogue=catalogue).default_slots[FORMAT] == (PROSE if default else None)


def test_item_has_the_belief_of_its_step_of_popularity() -> None:
    """An item outside of the version has step 0."""
    popular, item = Gaussian(0.3, 0.01), Gaussian(0.0, 0.25)
    features = {"popularity:3": popular, item_feature(7): item}
    version = PopulationVersion(4, 2, START_MS, 100, features, {}, (), popularity={item_feature(7): 3})
    prior = Prior(CATALOGUE, version)
    assert (prior.popularity(7), prior.popularity(8), prior.popularity(0)) == (3, 0, 0)
    known_item, without = (prior.expect((), NONE, NONE, number, 0) for number in (7, 0))
    assert known_item.mean == pytest.approx(without.mean + 0.3)
    assert known_item.variance == pytest.approx(without.variance + 0.26)


def test_uninformative_facets_are_those_of_version_and_catalogue() -> None:
    """Facets outside the catalogue are ignored."""
    assert prior_of(uninformative=["format", "mood"]).uninformative == {FORMAT}


# Topics


def test_shift_of_confidences_is_twice_the_mean() -> None:
    """The value has the mean, and the runner-up its opposite; a step outside the version has no shift."""
    sure = {"sure:0": Gaussian(0.05, 0.001), "sure:2": Gaussian(-0.4, 0.001)}
    assert prior_of(sure, {"population": Gaussian(0.8, 0.1)}).shifts == [0.1, 0.0, -MAX_SHIFT]
    assert not prior_of({"sure:1": Gaussian(0.0, 0.001)}).shifts
    assert not prior_of().shifts
    assert not Prior(CATALOGUE).shifts


def test_main_topics_lean_by_their_weights() -> None:
    """The effect of a topic is the difference from the mean over all topics, averaged by the weights."""
    elsewhere = {"surface:chat&format=table": Gaussian(0.5, 0.01), "surface:chat&format=prose": Gaussian(0.5, 0.01)}
    prior = prior_of(known(table=0.3, code__table=0.4) | elsewhere)
    found = leaning(prior, [TOPICS["code"], TOPICS["email"]], [3.0, 1.0])
    assert found[TABLE] == pytest.approx(0.75 * 0.4)
    assert found[PROSE] == 0
    assert not leaning(prior, [], [])
    assert not leaning(prior, [TOPICS["code"]], [0.0])


def test_only_the_main_topics_count() -> None:
    """The three topics with the largest weights count."""
    prior = prior_of(known(code__table=0.4))
    others = [TOPICS[name] for name in ("email", "travel", "data")]
    assert leaning(prior, [*others, TOPICS["code"]], [2.0, 2.0, 2.0, 1.0])[TABLE] == 0
    assert leaning(prior, [*others[1:], TOPICS["code"]], [2.0, 2.0, 1.0])[TABLE] == pytest.approx(0.4 / 5)
    assert MAX_TOPICS == 3


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clearing the cache changes no result."""
    monkeypatch.setattr(module, "MAX_CONTEXTS", 4)
    prior, fresh = prior_of(known(table=0.3, code__table=0.2)), prior_of(known(table=0.3, code__table=0.2))
    for topic in range(len(CATALOGUE.topics.values)):
        for surface in range(len(CATALOGUE.surfaces.values)):
            assert prior.expect([TABLE], topic, surface, 0, 0) == fresh.expect([TABLE], topic, surface, 0, 0)
            assert len(prior._contexts) <= 4
        assert leaning(prior, [topic], [1.0]) == leaning(fresh, [topic], [1.0])
        assert len(prior._effects) <= 4
