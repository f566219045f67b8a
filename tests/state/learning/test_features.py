"""Features of the population model: names, pairs, steps and prior variances."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning import features
from state.learning.features import (
    BIAS,
    FEEDBACK_COUNT_STEPS,
    Features,
    feedback_count_feature,
    feedback_count_step,
    item_feature,
    prior_variance,
    sure_feature,
)
from tacit.contract.catalogue import Surfaces
from tests.support.catalogue_changes import CatalogueNames, make_catalogue
from tests.support.factories import CATALOGUE, FILMS, slots

FILM_CATALOGUE = NumberedCatalogue.parse(FILMS)
CODE, CHAT = CATALOGUE.topic_index["code"], CATALOGUE.surface_index["chat"]


def test_features_of_an_answer_have_the_names_of_the_catalogue() -> None:
    """Features: the bias, the user's experience, the item, its popularity, and each value alone and in context."""
    served = slots({"length": "concise", "tone": "formal"})
    assert Features(CATALOGUE).of_answer(served, CODE, CHAT, 0xA1B2C3D, 3, popularity=2) == [
        "bias",
        "judged:3",
        "item:0a1b2c3d",
        "popularity:2",
        "length=concise",
        "topic:code&length=concise",
        "surface:chat&length=concise",
        "tone=formal",
        "topic:code&tone=formal",
        "surface:chat&tone=formal",
    ]


def test_answer_without_topic_surface_and_item_has_no_such_features() -> None:
    """`NONE` is no topic, and 0 is no item."""
    served = slots({"length": "concise"})
    assert Features(CATALOGUE).of_answer(served, NONE, NONE, 0, 0) == ["bias", "judged:0", "length=concise"]


def test_values_of_a_multiple_facet_make_pairs() -> None:
    """Each pair appears once; other facets have no pairs."""
    served = slots({"genre": ["action", "comedy", "drama"], "decade": "1990s"}, FILM_CATALOGUE)
    found = list(Features(FILM_CATALOGUE).of_values(served))
    pairs = [f"genre={one}&genre={other}" for one, other in combinations(["action", "comedy", "drama"], 2)]
    assert [feature for feature in found if "&" in feature] == pairs
    assert Features(CATALOGUE).pairs(slots({"length": "concise", "tone": "formal"})) == []
    assert Features(FILM_CATALOGUE).pairs(slots({"decade": ["1990s", "2000s"]}, FILM_CATALOGUE)) == []


def test_pairs_are_of_one_facet() -> None:
    """Two facets with several values have separate pairs."""
    several = FILM_CATALOGUE.facets["genre"]
    catalogue = replace(FILM_CATALOGUE, facets={"genre": several, "mood": replace(several, values=("dark", "gay"))})
    served = slots({"genre": ["action", "drama"], "mood": ["dark", "gay"]}, catalogue)
    found = [feature for feature in Features(catalogue).of_values(served) if "&" in feature]
    assert found == ["genre=action&genre=drama", "mood=dark&mood=gay"]


def test_single_surface_has_no_features() -> None:
    """A single surface distinguishes no answers."""
    served = slots({"decade": "1990s"}, FILM_CATALOGUE)
    found = list(Features(FILM_CATALOGUE).of_values(served, FILM_CATALOGUE.topic_index["cinema"], 0))
    assert found == ["decade=1990s", "topic:cinema&decade=1990s"]


TWINS = replace(
    make_catalogue(CatalogueNames({"code": ["code", "mail"], "mail": ["code", "mail"]}, ["code", "mail"])),
    surfaces=Surfaces(("code", "mail")),
)
"""A catalogue in which facet, values, topic and surface share names."""


@pytest.mark.parametrize("catalogue", [CATALOGUE, TWINS], ids=["copilot", "twins"])
def test_names_of_features_are_unique(catalogue: NumberedCatalogue) -> None:
    """Every combination of the catalogue has a name of its own."""
    names = Features(catalogue)
    found = [BIAS, *(item_feature(item) for item in (1, 0x10, 2**32 - 1))]
    found += [sure_feature(confidence) for confidence in (0.5, 0.7, 0.85)]
    found += [feedback_count_feature(step) for step in range(len(FEEDBACK_COUNT_STEPS) + 1)]
    for slot in range(len(catalogue.slots)):
        found.append(names.of_value(slot)[0])
        found += [
            names.of_value(slot, topic)[1]
            for topic in range(len(catalogue.topics.values))
            if topic not in catalogue.sensitive_topics
        ]
        found += [names.of_value(slot, NONE, surface)[1] for surface in range(len(catalogue.surfaces.values))]
    found += [names.of_pair(one, other) for one, other in combinations(range(len(catalogue.slots)), 2)]
    assert len(found) == len(set(found))


def test_name_does_not_depend_on_the_order_of_the_catalogue() -> None:
    """A version stays valid after a change of the catalogue."""
    one = make_catalogue(CatalogueNames({"length": ["low", "high"], "tone": ["low", "high"]}, ["code", "mail"]))
    other = make_catalogue(CatalogueNames({"tone": ["high", "low"], "length": ["high", "low"]}, ["mail", "code"]))
    for catalogue in (one, other):
        slot, topic = catalogue.slot_index["length"]["high"], catalogue.topic_index["mail"]
        assert Features(catalogue).of_value(slot, topic) == ("length=high", "topic:mail&length=high")


@given(st.integers(0, 255))
def test_steps_grow_with_the_count_of_feedback(feedback_count: int) -> None:
    """Each step starts after the end of the one before."""
    step = feedback_count_step(feedback_count)
    assert all(feedback_count > last for last in FEEDBACK_COUNT_STEPS[:step])
    assert all(feedback_count <= last for last in FEEDBACK_COUNT_STEPS[step : step + 1])


@pytest.mark.parametrize(
    ("feature", "variance"),
    [
        ("bias", 0.1),
        ("judged:7", 0.1),
        ("length=concise", 0.1),
        ("topic:code&length=concise", 0.03),
        ("surface:chat&length=concise", 0.03),
        ("genre=action&genre=drama", 0.03),
        ("item:0a1b2c3d", 0.25),
        ("sure:0", 0.001),
    ],
)
def test_prior_variance_depends_on_the_kind_of_feature(feature: str, variance: float) -> None:
    """Items have the largest variance, contexts the smallest."""
    assert prior_variance(feature) == variance


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue may have a million pairs of topic and surface for each value, and the cache has a limit."""
    monkeypatch.setattr(features, "MAX_IN_CONTEXT", 10)
    names = Features(CATALOGUE)
    for slot in range(len(CATALOGUE.slots)):
        for topic in range(len(CATALOGUE.topics.values)):
            assert names.of_value(slot, topic) == Features(CATALOGUE).of_value(slot, topic)
            assert len(names._in_context) <= 10
