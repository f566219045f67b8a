"""dataflows/rejects/direction: a repair never makes a control event less restrictive."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.rejects.direction import looser
from tacit.contract.events import Event, decode_event
from tests.support.factories import make_event

AT = 1_795_297_433_438


def event(**members: Any) -> Event:
    return decode_event(json.dumps(make_event(at=AT, user_id="ada", **members)).encode())


def original(**members: Any) -> bytes:
    return json.dumps({"type": "consent", "user_id": "ada", "at": AT} | members).encode()


YES, NO = event(type="consent", granted=True), event(type="consent", granted=False)
SOME_NO = event(type="consent", granted=False, scope=["explore"])
FORGET, SOME_FORGET = event(type="forget"), event(type="forget", facets=["length"])
PIN = event(type="pin", facet="length", value="concise")
PLAIN = event(type="interaction")


@pytest.mark.parametrize(
    ("repaired", "control", "before", "problem"),
    [
        (PLAIN, "", b"{", None),
        (PLAIN, "", None, None),
        (PLAIN, "", original(user_id="bob"), "user_id"),
        (PLAIN, "", original(user_id=7), None),
        (NO, "", b"{", "type"),
        (PLAIN, "consent", b"{", "type"),
        (FORGET, "consent", original(), "type"),
        (NO, "consent", None, None),
        (NO, "consent", original(granted="maybe"), None),
        (YES, "consent", original(granted=True), None),
        (YES, "consent", original(granted=True, user_id="bob"), "user_id"),
        (YES, "consent", original(granted="true"), "granted"),
        (YES, "consent", original(granted=False), "granted"),
        (YES, "consent", b"{", "granted"),
        (YES, "consent", None, "granted"),
        (YES, "consent", original(granted=True, scope=["learn"]), "scope"),
        (YES, "consent", original(granted=True, at=AT - 1), "at"),
        (YES, "consent", original(granted=True, at=AT + 1), None),
        (SOME_NO, "consent", original(granted=False, scope=["explore"]), None),
        (SOME_NO, "consent", original(granted=False), "scope"),
        (SOME_NO, "consent", original(granted=False, scope=["explore", "use"]), "scope"),
        (SOME_NO, "consent", b"{", "scope"),
        (FORGET, "forget", original(), None),
        (FORGET, "forget", original(facets=["length"]), None),
        (SOME_FORGET, "forget", original(facets=["length"]), None),
        (SOME_FORGET, "forget", original(facets=["length", "tone"]), "facets"),
        (SOME_FORGET, "forget", original(), "facets"),
        (SOME_FORGET, "forget", None, "facets"),
        (PIN, "pin", original(facet="lenght"), None),
        (PIN, "pin", original(at=AT - 1), "at"),
        (PIN, "pin", b"{", None),
    ],
)
def test_repair(repaired: Event, control: str, before: bytes | None, problem: str | None) -> None:
    found = looser(repaired, control, before)
    assert (found and found.partition(":")[0]) == problem


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x), max_leaves=4)


@given(JSON, JSON, JSON)
def test_no_is_never_refused_and_yes_needs_a_yes(granted: Any, scope: Any, at: Any) -> None:
    """For any content of the rejected record."""
    before = original(granted=granted, scope=scope, at=at)
    assert looser(NO, "consent", before) is None
    if looser(YES, "consent", before) is None:
        assert granted is True
        assert isinstance(scope, list)
        assert {"learn", "use", "explore"} <= {each for each in scope if isinstance(each, str)}
