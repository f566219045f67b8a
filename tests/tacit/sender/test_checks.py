"""tacit/sender/checks: an event passes exactly if a worker with the same catalogue accepts its names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NotInCatalogueError, TooManyValuesError
from state.events.resolve import resolve
from tacit import Catalogue, EventError, Interaction, decode_event
from tacit.sender.checks import checked
from tests.support.factories import START_MS

CATALOGUE = Catalogue.load()
NUMBERED = NumberedCatalogue.load()
NAMES = st.sampled_from(
    ["length", "concise", "detailed", "tone", "formal", "code", "health", "chat", "thumbs_up", "nope"]
)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"facet": NAMES, "value": NAMES, "version": st.none(), "propensity": st.just(1.0)},
        optional={"runner_up": NAMES},
    ),
    max_size=2,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "topic": NAMES,
        "surface": NAMES,
        "served": st.dictionaries(NAMES, NAMES | st.lists(NAMES, min_size=1, max_size=2), max_size=2),
        "feedback": st.fixed_dictionaries(
            {"kind": NAMES}, optional={"facets": st.lists(NAMES, min_size=1, max_size=2)}
        ),
        "acted_on": ENTRIES,
        "proposed": ENTRIES,
    },
)


def event_of(members: dict[str, Any]) -> Interaction:
    document = {
        "type": "interaction",
        "schema": 1,
        "event_id": "e",
        "user_id": "ada",
        "at": START_MS,
        "region": "eu",
    }
    event = decode_event(json.dumps(document | members).encode())
    assert isinstance(event, Interaction)
    return event


@given(members=EVENTS)
def test_names_are_those_that_a_worker_accepts(members: dict[str, Any]) -> None:
    """Values of facets, topics, surfaces and feedback."""
    event = event_of(members)
    try:
        resolve(event, bytes(16), NUMBERED)
    except (NotInCatalogueError, TooManyValuesError):
        with pytest.raises(EventError):
            checked(event, CATALOGUE)
    else:
        assert decode_event(checked(event, CATALOGUE)) == event


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"topic": "nope"}, "topic: not in the catalogue; allowed are code, data, "),
        ({"served": {"nope": "concise"}}, "served.nope: not in the catalogue; allowed are length, format, "),
        (
            {"served": {"length": "formal"}},
            "served.length: not in the catalogue; allowed are concise, balanced",
        ),
        ({"served": {"length": ["concise", "detailed"]}}, "served.length: several values of a facet that is not"),
        (
            {"acted_on": [{"facet": "tone", "value": "formal", "version": None, "propensity": 1, "runner_up": "nope"}]},
            r"acted_on\[0\].runner_up: not in the catalogue; allowed are formal, neutral, friendly",
        ),
    ],
)
def test_error_has_the_member_and_the_allowed_names(members: dict[str, Any], problem: str) -> None:
    """So the fix is clear."""
    with pytest.raises(EventError, match=problem):
        checked(event_of(members), CATALOGUE)


def test_lone_surrogate_is_an_error_without_the_text() -> None:
    """JSON in UTF-8 has no form for it."""
    event = Interaction(schema=1, event_id="e", user_id="ada\ud800", at=START_MS, region="eu")
    with pytest.raises(EventError, match="event: a text has a lone surrogate") as caught:
        checked(event, None)
    assert "ada" not in str(caught.value)
