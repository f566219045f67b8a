"""client/tacit/contract/names and labels."""

from msgspec.structs import replace

from tacit.contract.catalogue import Catalogue
from tacit.contract.labels import Labels, ValueLabel
from tacit.contract.names import Names

SHIPPED = Catalogue.load()


def test_shipped_catalogue_has_every_label_in_each_language() -> None:
    """Facets have their titles in English."""
    assert set(SHIPPED.labels) == {"en", "de"}
    for language, labels in SHIPPED.labels.items():
        assert labels.facets.keys() == (set() if language == "en" else SHIPPED.facets.keys())
        assert {name: set(found) for name, found in labels.values.items()} == {
            name: set(facet.values) for name, facet in SHIPPED.facets.items()
        }
        assert set(labels.topics) == set(SHIPPED.topics.values)
        assert set(labels.surfaces) == set(SHIPPED.surfaces.values)
        assert labels.feedback.keys() == SHIPPED.feedback.keys()


def test_region_falls_back_to_its_language() -> None:
    assert Names.of(SHIPPED, "de-AT").value("length", "concise") == "kurz"
    labels = {**SHIPPED.labels, "de-AT": Labels(topics={"code": "Coding"})}
    assert Names.of(replace(SHIPPED, labels=labels), "de-AT").topic("code") == "Coding"


def test_name_without_a_label_is_shown_as_it_is() -> None:
    """And a facet by its title; a name that left the catalogue has no title."""
    names = Names.of(replace(SHIPPED, labels={}), "de")
    assert names.facet("length") == "Answer length"
    assert names.facet("gone") == "gone"
    assert names.value("length", "concise") == "concise"
    assert names.topic("code") == "code"
    assert names.context("surface:chat") == "chat"
    assert names.feedback("thumbs_up") is None
    assert names.answers("length", "concise", "one") is None


def test_answers_follow_the_plural_category() -> None:
    names = Names.of(SHIPPED, "en")
    assert names.answers("length", "concise", "one") == "short answer"
    assert names.answers("length", "concise", "other") == "short answers"
    assert names.answers("length", "concise", "few") == "short answers"
    assert ValueLabel("krótka", other="krótkiej", few="krótkie").answers("few") == "krótkie"


def test_labels_do_not_change_the_meaning_of_a_catalogue() -> None:
    assert replace(SHIPPED, labels={}).meaning == SHIPPED.meaning
    assert replace(SHIPPED, version=2).meaning != SHIPPED.meaning
