"""operators/decoders/projection: the members of the contract, as JSON."""

import json
from typing import Any

import pytest

from operators.decoders.projection import control_name, to_document
from tests.support.factories import FULL_EVENT, make_event


def projected(**members: Any) -> Any:
    return json.loads(to_document(make_event(**members)))


def test_full_event_is_itself() -> None:
    """Every member of the contract is kept."""
    assert json.loads(to_document(FULL_EVENT)) == FULL_EVENT


def test_null_is_absent() -> None:
    """A flat schema has the members of all types."""
    assert projected(turn_id=None, granted=None, value=None, facets=None) == make_event()
    assert projected(served={"length": "concise", "tone": None}) == make_event(served={"length": "concise"})


def test_null_is_the_value_of_a_pin() -> None:
    """It takes the pin back."""
    pin = make_event(type="pin", facet="tone", value=None)
    assert projected(**pin, granted=None, scope=None) == pin


def test_members_outside_the_contract_are_dropped_from_interactions() -> None:
    """At any depth."""
    feedback = {"kind": "copied", "note": 1}
    entry = {"facet": "a", "value": "b", "version": None, "propensity": 1.0}
    assert projected(zaphod=1, granted=True, feedback=feedback, acted_on=[entry | {"note": 1}, "x"]) == make_event(
        feedback={"kind": "copied"}, acted_on=[entry, "x"]
    )


def test_members_outside_the_contract_stay_in_control_events() -> None:
    """A misspelled scope makes a "yes" unclear. Members of other types are dropped."""
    consent = make_event(type="consent", granted=True, scopes=["learn"])
    assert projected(**consent, facet="tone", turn_id="t") == consent


@pytest.mark.parametrize(("kind", "name"), [(" Forget ", "forget"), ("interaction", ""), (None, ""), (7, "")])
def test_control_name(kind: object, name: str) -> None:
    """As the decoder of JSON reads the type."""
    assert control_name(kind) == name


def test_broken_text_is_broken_json() -> None:
    """The decoder of JSON then rejects the event, or repairs a control event."""
    assert b"\xff" in to_document(make_event(region="\udcff"))
