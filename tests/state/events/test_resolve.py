"""state/events/resolve."""

from typing import Any

import pytest

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import (
    NONE,
    Kind,
    NotInCatalogueError,
    Observation,
    TooManyValuesError,
)
from state.events.resolve import resolve, resolve_control
from tacit.contract.events import Interaction, decode_event
from tests.support.factories import CATALOGUE, FILMS, START_MS, USER, make_event, make_record, slots


def resolved(catalogue: NumberedCatalogue = CATALOGUE, **fields: Any) -> Observation:
    record = make_record(make_event(**fields), 7)
    event = decode_event(record.value)
    if isinstance(event, Interaction):
        return resolve(event, USER, catalogue)
    return resolve_control(event, USER, record.timestamp_ms, catalogue, is_foreign=False)


def test_interaction_gets_the_catalogues_numbers() -> None:
    """Values ascend; the order in the event has no effect."""
    o = resolved(
        topic="email",
        surface="chat",
        served={"tone": "formal", "length": "detailed"},
        feedback={"kind": "shorter", "facets": ["tone", "length"]},
    )
    assert o.kind == Kind.INTERACTION
    assert CATALOGUE.topics.values[o.topic] == "email"
    assert CATALOGUE.feedback_names[o.feedback] == "shorter"
    assert list(o.slots) == slots({"length": "detailed", "tone": "formal"})
    assert [CATALOGUE.facet_names[facet] for facet in o.facets] == ["tone", "length"]


def test_choices_and_proposals_become_slots() -> None:
    """A runner-up is optional."""
    concise, balanced, _ = CATALOGUE.facet_slots[CATALOGUE.facet_index["length"]]
    entry = {"facet": "length", "value": "concise", "version": None, "propensity": 0.95}
    o = resolved(acted_on=[entry, entry | {"runner_up": "balanced"}], proposed=[entry])
    assert list(o.acted) == [(concise, 0.95, NONE), (concise, 0.95, balanced)]
    assert list(o.proposed) == [concise]


def test_absent_members_are_none() -> None:
    """Topic, feedback and turn are optional."""
    o = resolved()
    assert (o.topic, o.feedback, o.turn) == (NONE, NONE, 0)
    assert not o.slots
    assert not o.facets


def test_ids_become_numbers_other_than_none() -> None:
    """Equal ids are equal numbers; 0 means none."""
    o = resolved(event_id="x", turn_id="x")
    assert o.event == o.turn != 0
    assert resolved(event_id="x", turn_id="y").turn not in {0, o.event}


def test_control_events_of_equal_content_are_equal() -> None:
    """A repeat is recognized by all that it asks for, and not by its id alone."""
    no = resolved(type="consent", granted=False)
    assert no.event == resolved(type="consent", granted=False).event
    own: dict[str, Any] = {"type": "consent", "granted": False}
    for other in ({"granted": True}, {"event_id": "e-2"}, {"at": START_MS + 1}, {"scope": ["use"]}):
        fields = {**own, **other}
        assert no.event != resolved(CATALOGUE, **fields).event


def test_content_of_a_control_event_does_not_reveal_the_user_id() -> None:
    """The hash has no key and stays in the tombstone, so an id in it could be guessed without the secret."""
    found = {resolved(type="forget", user_id=user_id).event for user_id in ("ada", "bob")}
    assert len(found) == 1


def test_consent_holds_its_scopes() -> None:
    """Without a scope it covers all."""
    assert list(resolved(type="consent", granted=True).slots) == [0, 1, 2]
    assert list(resolved(type="consent", granted=True, scope=["explore", "learn"]).slots) == [0, 2]


def test_forget_holds_its_facets() -> None:
    """Without facets it covers everything."""
    assert not resolved(type="forget").facets
    assert list(resolved(type="forget", facets=["tone", "length"]).facets) == [0, 2]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": "consent", "granted": True}, Kind.GRANT),
        ({"type": "consent", "granted": False}, Kind.DENY),
        ({"type": "forget"}, Kind.FORGET),
    ],
)
def test_control_events_are_kinds(fields: dict[str, Any], kind: Kind) -> None:
    """Consent has two kinds."""
    assert resolved(**fields).kind == kind


def test_pin_holds_its_facet_and_value() -> None:
    """A pin without a value removes the setting."""
    pin = resolved(type="pin", facet="tone", value="formal")
    assert (pin.kind, list(pin.facets), list(pin.slots)) == (Kind.PIN, [2], slots({"tone": "formal"}))
    back = resolved(type="pin", facet="tone", value=None)
    assert (list(back.facets), list(back.slots)) == ([2], [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"topic": "gossip"}, "topic"),
        ({"surface": "fridge"}, "surface"),
        ({"served": {"mood": "formal"}}, "served.*"),
        ({"served": {"tone": "rude"}}, "served.tone"),
        ({"served": {"tone": ["formal", "rude"]}}, "served.tone"),
        ({"served": {"tone": "concise"}}, "served.tone"),
        ({"feedback": {"kind": "applause"}}, "feedback.kind"),
        ({"feedback": {"kind": "thumbs_up", "facets": ["tone", "mood"]}}, "feedback.facets.*"),
        ({"acted_on": [{"facet": "mood", "value": "x", "version": None, "propensity": 1.0}]}, "acted_on.*"),
        ({"acted_on": [{"facet": "tone", "value": "rude", "version": None, "propensity": 1.0}]}, "acted_on.*"),
        (
            {
                "acted_on": [
                    {"facet": "tone", "value": "formal", "version": None, "propensity": 1.0, "runner_up": "rude"}
                ]
            },
            "acted_on.*",
        ),
        ({"proposed": [{"facet": "tone", "value": "rude", "version": None, "propensity": 1.0}]}, "proposed.*"),
        ({"type": "pin", "facet": "mood", "value": "x"}, "facet"),
        ({"type": "pin", "facet": "mood", "value": None}, "facet"),
        ({"type": "pin", "facet": "tone", "value": "rude"}, "value"),
    ],
)
def test_error_of_an_unknown_name_is_the_path(fields: dict[str, Any], path: str) -> None:
    """The error never has the name: a producer could put anything there."""
    with pytest.raises(NotInCatalogueError) as caught:
        resolved(**fields)
    assert str(caught.value) == path


def test_several_values_of_a_single_facet_are_an_error() -> None:
    """A list of one is the same as the value alone."""
    with pytest.raises(TooManyValuesError, match=r"served\.tone"):
        resolved(served={"tone": ["formal", "neutral"]})
    assert list(resolved(served={"tone": ["formal"]}).slots) == slots({"tone": "formal"})


def test_multiple_facet_takes_several() -> None:
    """A repeated value counts once."""
    films = NumberedCatalogue.parse(FILMS)
    o = resolved(films, served={"genre": ["drama", "action", "drama"], "decade": "1990s"})
    assert list(o.slots) == slots({"genre": ["action", "drama"], "decade": "1990s"}, films)
