"""tacit/sender/control_events: the user's decisions as events, checked before they are sent."""

import pytest

from tacit import Catalogue, Consent, ControlEvents, EventError, Forget, Pin, decode_event, encode_event
from tacit.contract.events import Event

DECIDE = ControlEvents("eu", Catalogue.load())
COMMON = {"schema": 1, "event_id": "e-1", "user_id": "ada", "at": 1_795_297_433_438, "region": "eu"}
GIVEN = {"at_ms": 1_795_297_433_438, "event_id": "e-1"}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (DECIDE.consent("ada", granted=True, **GIVEN), Consent(granted=True, **COMMON)),  # type: ignore[arg-type]
        (
            DECIDE.consent("ada", granted=False, scopes=["explore"], **GIVEN),  # type: ignore[arg-type]
            Consent(granted=False, scope=["explore"], **COMMON),  # type: ignore[arg-type]
        ),
        (DECIDE.pin("ada", "length", "concise", **GIVEN), Pin(facet="length", value="concise", **COMMON)),  # type: ignore[arg-type]
        (DECIDE.pin("ada", "length", None, **GIVEN), Pin(facet="length", value=None, **COMMON)),  # type: ignore[arg-type]
        (DECIDE.forget("ada", **GIVEN), Forget(**COMMON)),  # type: ignore[arg-type]
        (DECIDE.forget("ada", facets=["tone"], **GIVEN), Forget(facets=["tone"], **COMMON)),  # type: ignore[arg-type]
    ],
)
def test_decision_is_an_event_of_the_contract(made: Event, expected: Event) -> None:
    """With the given id and time."""
    assert made == expected == decode_event(encode_event(made))


def test_ids_are_new_and_times_are_now() -> None:
    """By default."""
    first, second = DECIDE.forget("ada"), DECIDE.forget("ada")
    assert first.event_id != second.event_id
    assert first.at <= second.at


def test_names_outside_the_catalogue_are_errors_with_their_member() -> None:
    """A facet, and an empty list of facets."""
    with pytest.raises(EventError, match=r"^facet: not in the catalogue; allowed are length, "):
        DECIDE.pin("ada", "size", None)
    with pytest.raises(EventError, match=r"^facets\[0\]: not in the catalogue"):
        DECIDE.forget("ada", facets=["size"])
    with pytest.raises(EventError, match=r"^facets: Expected `array` of length >= 1"):
        DECIDE.forget("ada", facets=[])
    with pytest.raises(EventError, match=r"^scope\[0\]: not one of the allowed values"):
        DECIDE.consent("ada", granted=True, scopes=["lern"])  # type: ignore[list-item]
