"""tacit/contract/history: the document of a user's history, restricted to the catalogue."""

import json
from typing import Any

import pytest

from tacit.contract.catalogue import Catalogue
from tacit.contract.history import MAX_HISTORY_BYTES, Action, Change, History, decode_history, encode_history
from tacit.contract.versions import version

CATALOGUE = Catalogue.load()
V = version(1_795_297_433_000, 7)
PIN = Action(at_ms=1, action="pin", facet="tone", value="formal", previous="neutral")
CONSENT = Action(at_ms=2, action="consent", granted=False, scopes=("learn",), states=("granted",))
FORGET = Action(at_ms=3, action="forget")
CHANGE = Change(at_ms=4, facet="length", before=None, value="concise", source="learned")
FULL = History(V, (PIN, CONSENT, FORGET), (CHANGE,))


def test_history_has_the_members_of_the_contract() -> None:
    """Empty members of an action are left out; a change has all of them."""
    document = json.loads(encode_history(FULL))
    assert list(document) == ["v", "actions", "changes"]
    assert document["actions"] == [
        {"at_ms": 1, "action": "pin", "facet": "tone", "value": "formal", "previous": "neutral"},
        {"at_ms": 2, "action": "consent", "granted": False, "scopes": ["learn"], "states": ["granted"]},
        {"at_ms": 3, "action": "forget"},
    ]
    assert document["changes"] == [{"at_ms": 4, "facet": "length", "from": None, "to": "concise", "source": "learned"}]
    assert decode_history(encode_history(FULL), CATALOGUE) == FULL


@pytest.mark.parametrize(
    ("place", "members"),
    [
        ("actions", {"facet": "mood"}),
        ("actions", {"value": "rude"}),
        ("actions", {"previous": "rude"}),
        ("actions", {"facet": None}),
        ("changes", {"facet": "mood"}),
        ("changes", {"from": "rude"}),
        ("changes", {"to": "rude"}),
    ],
)
def test_names_outside_of_the_catalogue_are_left_out(place: str, members: dict[str, Any]) -> None:
    document = json.loads(encode_history(FULL))
    document[place][0] |= members
    found = decode_history(json.dumps(document).encode(), CATALOGUE)
    assert (len(found.actions), len(found.changes)) == ((2, 1) if place == "actions" else (3, 0))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"v":"new"}',
        b'{"v":"%s","changes":[{"at_ms":-1}]}' % V.encode(),
        b'{"v":"%s","actions":[{"at_ms":1,"action":"shout"}]}' % V.encode(),
        b" " * (MAX_HISTORY_BYTES + 1),
    ],
)
def test_other_content_is_no_history(data: bytes) -> None:
    with pytest.raises(ValueError, match="history"):
        decode_history(data, CATALOGUE)
